#pragma once

#include "relay/gateway/agent_clocks.h"
#include "relay/gateway/agent_jobs.h"
#include "relay/gateway/key_courier.h"
#include "relay/gateway/links.h"
#include "relay/gateway/peer_summary.h"
#include "relay/identity/admission.h"
#include "relay/identity/renewal.h"
#include "relay/store/connections.h"
#include "shared/async/task_group.h"
#include "shared/link/session.h"
#include "shared/tls/secure_stream.h"

namespace sallyport::gateway {

// What every session of an agent uses; all of it outlives the sessions.
struct SessionServices {
  Links& links;
  identity::Admissions& admissions;
  identity::Renewals& renewals;
  jobs::Dispatcher& dispatcher;
  jobs::Journals& journals;
  jobs::Recorder& recorder;
  jobs::Assigner& assigner;
  store::Agents& agents;
  store::Connections& connections;
  keys::Envelope& envelope;
  KeyCourier& courier;
  AgentClocks& clocks;
  const Clock& clock;
  const Log& log;
};

struct SessionLimits {
  std::chrono::milliseconds heartbeat{5'000};  // of both sides (docs/protocol.md P10)
  std::chrono::milliseconds sighting{60'000};  // how often it is stored that a linked agent lives
  std::uint32_t links = 2;                     // how many links an agent is asked to keep, at most link::kMostLinks
  std::vector<std::string> addresses;          // where it dials them, "host:port"; none: where it dialled the first
};

// One link of one agent from the TLS handshake to its end: admission, the jobs channel while it is on this link,
// renewal, liveness. Lives on the relay's loop; run() returns when all of it is over.
class AgentSession final : public link::SessionOwner, public jobs::PingedLink, public LiveLink {
 public:
  AgentSession(const boost::asio::any_io_executor& executor, std::unique_ptr<tls::SecureStream> stream,
               std::string address, SessionServices services, const SessionLimits& limits = {});
  boost::asio::awaitable<void> run();
  void stop(std::string message) { session_.stop(std::move(message)); }
  // Asks the agent for a renewal if its certificate is not of the present root and the next one will be. Without effect
  // on a link that is not up yet, which asks by itself.
  void lead_to_root();
  void go_away(std::string reason, std::chrono::milliseconds drain);
  // Stores that its agent lives, if it was not stored for as long as SessionLimits say. Call it now and then.
  void note_sighting_if_due(SteadyTime now);

  // link::SessionOwner
  boost::asio::awaitable<std::optional<link::Refusal>> admit(link::Peer peer) override;
  boost::asio::awaitable<void> serve(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override;
  void on_control(link::Session& session, const v1::Control& message) override;

  // jobs::PingedLink and LiveLink
  void pong(std::uint64_t nonce) override { session_.pong(nonce); }
  const jobs::LinkedAgent& who() const override { return who_; }
  const Bytes& boot_id() const override { return boot_id_; }
  std::uint32_t number() const override { return number_; }
  jobs::LinkFacts facts() const override;
  void refuse(link::Refusal refusal) override { session_.refuse(std::move(refusal)); }
  bool is_alive() const override { return !session_.ended() && session_.proven(); }
  bool carries_tunnels() const override { return knows_tunnels_ && is_alive() && !session_.draining(); }
  bool carries_system_keys() const override {
    return knows_system_keys_ && serving_ && !session_.ended() && !session_.draining();
  }
  bool carries_authorizations() const override {
    return knows_authorizations_ && serving_ && !session_.ended() && !session_.draining();
  }
  Result<link::Channel> open_channel(std::string_view purpose) override { return session_.open_channel(purpose); }

 private:
  boost::asio::awaitable<void> carry_jobs(link::Channel channel);
  boost::asio::awaitable<void> ask_for_renewal();
  boost::asio::awaitable<void> renew_all();
  boost::asio::awaitable<void> renew(Bytes csr_der);
  boost::asio::awaitable<void> note_installed(std::string serial);
  boost::asio::awaitable<void> note_peer(link::Peer peer);
  boost::asio::awaitable<void> note_sighting();
  boost::asio::awaitable<Result<void>> note_connections(std::vector<ToldConnection> told);
  void fault(const std::string& task, const std::string& why);

  boost::asio::any_io_executor executor_;
  SessionServices services_;
  SessionLimits limits_;
  std::string address_;
  tls::PeerIdentity identity_;
  jobs::LinkedAgent who_;
  Bytes boot_id_;
  WallTime since_;
  std::uint32_t number_ = 0;
  bool admitted_ = false;
  bool knows_tunnels_ = false;  // the agent, as the next
  bool knows_links_ = false;
  bool knows_system_keys_ = false;
  bool knows_authorizations_ = false;
  std::size_t jobs_channels_ = 0;  // there are, or wait for the one before to end
  store::AgentSighting sighting_;  // what it said of itself

  std::optional<Bytes> renewal_;          // the CSR of a renewal that waits
  std::optional<std::string> installed_;  // the serial that the agent says it holds, until it is noted
  bool renewing_ = false;                 // renew_all() is at one of them
  bool serving_ = false;
  SteadyTime next_sighting_{};
  link::Session session_;
};

}  // namespace sallyport::gateway
