#pragma once

#include "relay/gateway/agent_session.h"
#include "relay/gateway/carried_places.h"
#include "relay/gateway/doorway.h"
#include "relay/identity/enrolment.h"
#include "relay/identity/revocations.h"
#include "shared/async/accept.h"
#include "shared/base/metrics.h"
#include "shared/tls/nested.h"
#include "shared/tls/stream.h"

#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <list>
#include <optional>

namespace sallyport::gateway {

struct GatewayLimits {
  // Further ones wait in the kernel's queue. With one port for people too it goes on accepting: agents get three
  // quarters at the least, and further ones are refused.
  std::size_t connections = 12'000;
  DoorwayLimits door;
  std::size_t carried = 256;                       // links and enrolments that come through the web API
  std::chrono::milliseconds handshake{10'000};     // from accept to a whole ClientHello, and from its turn to TLS's end
  std::chrono::milliseconds turn{20'000};          // from the one to the other: agents wait no longer
  std::chrono::milliseconds enrol_request{5'000};  // from there until an enrolment's request is whole
  std::chrono::milliseconds drain{5'000};          // what links have left when the relay stops; at most an hour
  SessionLimits session;
};

struct EnrolmentDesk;

// The port agents dial: accepts, shakes hands, tells links from enrolments, and keeps the sessions. Lives on the
// relay's loop.
class Gateway {
 public:
  struct Parts {
    SessionServices sessions;
    identity::Enrolments& enrolments;
    identity::Revocations& revocations;
    Metrics& metrics;
  };

  Gateway(const boost::asio::any_io_executor& executor, Parts parts, tls::ServerContext context,
          const GatewayLimits& limits = {});
  ~Gateway();

  // Errc::unavailable or conflict: the address cannot be listened on, and why.
  Result<void> listen(const std::string& host, std::uint16_t port);
  std::uint16_t port() const;
  void use(tls::ServerContext context) { context_ = std::move(context); }  // for handshakes from now on
  void lead_agents_to_root();  // asks those for a renewal whom it leads to the present root
  // One port for agents and people: from now on a connection that offers no protocol of agents goes to `web`, its first
  // bytes unread. Who it is for is found out at the door; whoever has not said it yet is a guest like any other.
  using Adopt = std::function<void(boost::asio::ip::tcp::socket)>;
  void share_port(Adopt web) { web_ = std::move(web); }
  // A place for a link or an enrolment that comes through the web API (docs/protocol.md P1.5), and what serves it: the
  // same session, the same rules at the door. It returns when it is over; the place is given back with its last copy.
  // `peer` is the caller's address. Errc::unavailable: no place, and why.
  using ServeCarried = std::function<boost::asio::awaitable<void>(std::unique_ptr<ByteStream>)>;
  Result<ServeCarried> take_carried(std::string peer);
  // Accepts until cancelled; then tells every agent that it goes away, also those whose handshakes end only then, and
  // returns when their links have ended, with those that had work left cut off after the drain time.
  boost::asio::awaitable<void> run();

 private:
  class Place;
  class Entry;

  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> sighting_loop();
  std::size_t places_of_agents() const;
  std::optional<tls::Refusal> refused_as_agent(Doorway::Guest& guest);  // nothing: it has its place among them
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, Place connection);
  boost::asio::awaitable<tls::Handshake> shake_hands(Doorway::Guest& guest, boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<tls::NestedHandshake> shake_hands_inside(Doorway::Guest& guest,
                                                                  std::unique_ptr<ByteStream> carrier);
  EnrolmentDesk desk();
  void note_refused(const std::string& address, const tls::Refusal& refusal);
  boost::asio::awaitable<void> turn_away(std::string address, tls::Refusal refusal);
  using CarriedPlace = std::shared_ptr<CarriedPlaces::Place>;
  boost::asio::awaitable<void> serve_carried(std::unique_ptr<ByteStream> carrier, std::string peer, CarriedPlace place);
  boost::asio::awaitable<void> serve_link(std::unique_ptr<tls::SecureStream> stream, std::string address,
                                          std::optional<Place> place);
  void cut_revoked(const OrgId& org, const AgentId& agent);
  void count_links();

  boost::asio::any_io_executor executor_;
  Parts parts_;
  tls::ServerContext context_;
  GatewayLimits limits_;
  boost::asio::ip::tcp::acceptor acceptor_;
  identity::Revocations::Subscription revoked_;
  Gauge& linked_;
  Gauge& links_;
  Doorway door_;
  CarriedPlaces carried_;
  Adopt web_;
  std::size_t open_ = 0;
  std::size_t proven_ = 0;  // of those, links
  Acceptance acceptance_;
  std::list<AgentSession*> sessions_;
  bool stopping_ = false;
  TaskGroup connections_;
};

}  // namespace sallyport::gateway
