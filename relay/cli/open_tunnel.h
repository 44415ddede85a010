#pragma once

#include "relay/cli/client.h"
#include "relay/cli/patience.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/base/seldom.h"
#include "shared/link/session.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <functional>
#include <optional>
#include <string>

namespace sallyport::cli {

// Where a local port is wanted. Port 0: any free one.
struct LocalPort {
  boost::asio::ip::address address = boost::asio::ip::address_v4::loopback();
  std::uint16_t port = 0;
  bool exactly = false;  // false: another one if this one is taken
};
// "127.0.0.1:5432", "[::1]:0", "5432". Errc::invalid: no such thing.
Result<LocalPort> parse_local_port(std::string_view text);

struct OpenTunnelTimes {
  PatienceTimes patience{std::chrono::milliseconds(500), std::chrono::seconds(30), std::chrono::hours(24 * 365)};
  std::chrono::milliseconds wait{10'000};     // of a local connection while the relay is away
  std::chrono::milliseconds complain{5'000};  // how often one kind of trouble is told
  std::chrono::milliseconds parting{3'000};   // what connections have to end by themselves after finish()
};

// A tunnel that is open on this machine: a local port, each connection to it one channel of a session with the relay
// (docs/protocol.md P15). When that breaks, the connections are reset, and it is made anew; connections that come
// meanwhile wait for a moment. Lives on the loop it runs on.
class OpenTunnel final : public link::SessionOwner {
 public:
  struct Order {
    Endpoint endpoint;
    std::string path;  // of the session: "/v1/tunnels/tun_.../session"
    LocalPort listen;
  };
  struct Tell {
    std::function<void(boost::asio::ip::tcp::endpoint)> listening;  // once
    std::function<void(std::string_view)> trouble;
  };
  OpenTunnel(const boost::asio::any_io_executor& on, Order order, Tell tell, OpenTunnelTimes times = {});
  ~OpenTunnel() override;

  // Until stop(), or what cannot be mended by trying again: a first connection that fails, and a relay that refuses.
  boost::asio::awaitable<Result<void>> run();
  void stop();
  // Whoever used it has gone: as stop(), once what they closed has come to its end on the other side, too. What the
  // relay refuses meanwhile is trouble, and no failure any more.
  void finish();

  boost::asio::awaitable<void> serve(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_control(link::Session&, const v1::Control&) override {}
  void on_go_away(link::Session& session, const std::string& reason, std::chrono::milliseconds drain) override;

 private:
  boost::asio::awaitable<void> keep_open();
  boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect();
  boost::asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect_again();
  boost::asio::awaitable<Result<void>> hold(std::unique_ptr<ByteStream> stream);
  Result<void> listen();
  boost::asio::awaitable<void> accept_all();
  void take_waiting();
  boost::asio::awaitable<void> part();
  void take(boost::asio::ip::tcp::socket socket);
  struct Place;
  boost::asio::awaitable<void> carry(boost::asio::ip::tcp::socket socket, std::unique_ptr<Place> place);
  boost::asio::awaitable<Result<link::Channel>> next_channel();
  void leave_session();
  void complain(const std::string& trouble);
  void end(Result<void> outcome);

  boost::asio::any_io_executor on_;
  Order order_;
  Tell tell_;
  OpenTunnelTimes times_;
  SystemClock clock_;
  boost::asio::thread_pool connecting_{1};
  std::atomic<bool> stopping_ = false;
  boost::asio::ip::tcp::acceptor acceptor_;
  link::Session* session_ = nullptr;  // while it takes channels
  bool was_linked_ = false;           // a session has taken some
  Event linked_;
  Event carried_;  // a connection has ended
  Event over_;
  bool parting_ = false;
  std::size_t open_ = 0;  // connections
  std::optional<Result<void>> outcome_;
  Seldom troubles_;
  std::string last_trouble_;
  TaskGroup work_;
  TaskGroup connections_;
};

}  // namespace sallyport::cli
