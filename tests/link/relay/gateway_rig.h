#pragma once

#include "agent/link/enrol.h"
#include "agent/link/supervisor.h"
#include "relay/gateway/gateway.h"
#include "shared/async/task_group.h"
#include "tests/support/fixed_fingerprints.h"
#include "tests/unit/relay/identity/world.h"
#include "tests/unit/relay/jobs/faulty_stores.h"
#include "tests/unit/shared/link/raw_peer.h"

#include <functional>
#include <list>

namespace sallyport::v1 {
class ToAgent;
class ToRelay;
}  // namespace sallyport::v1

// The relay's real gateway and the agent's real link over loopback TLS, and impostors of both.
namespace sallyport::test {

class RealAgent;

struct LinesSink final : LogSink {
  std::vector<std::string> lines;
  void write(std::string_view line) override { lines.emplace_back(line); }
  bool has(std::initializer_list<std::string_view> words) const { return mentions(lines, words); }
};

class KeptIdentity final : public agent::IdentityStore {
 public:
  Result<agent::Identity> load() const override { return agent::parse_identity(text_); }
  Result<void> install(const agent::Identity& identity) override {
    SP_CHECK(agent::check_identity(identity));
    text_ = agent::format_identity(identity).reveal();
    ++installed;
    return {};
  }
  int installed = 0;

 private:
  std::string text_;
};

// A running relay as far as agents see it, with one organisation.
struct GatewayRig {
  explicit GatewayRig(boost::asio::any_io_executor loop, gateway::GatewayLimits limits = {});
  awaitable<void> start();    // call first
  awaitable<void> finish();   // call last
  awaitable<void> restart();  // of the part that agents dial: says good-bye, and listens on the same port again
  agent::Endpoint endpoint() const { return {"127.0.0.1", port_}; }

  // An enrolment string for this relay's real port.
  awaitable<std::string> string_for(Tenant of, std::uint32_t max_uses = 1,
                                    std::function<void(crypto::EnrolmentString&)> bend = nullptr);
  awaitable<Result<agent::Identity>> enrol(std::string text, std::string proxy = "none",
                                           const Clock* agents_clock = nullptr);
  awaitable<agent::Identity> enrolled();  // must succeed
  awaitable<std::unique_ptr<RealAgent>> linked(const agent::Identity& identity, char boot = 1,
                                               agent::Way way = agent::Way::direct);  // must succeed
  awaitable<std::size_t> agents();                                                    // there are
  awaitable<boost::asio::ip::tcp::socket> connect();                                  // must succeed
  awaitable<bool> audited(OrgId org, std::initializer_list<std::string_view> words);
  awaitable<bool> until(std::function<bool()> holds);

  boost::asio::any_io_executor loop;
  IdentityWorld world;
  LinesSink lines;
  Log log{lines, world.clock, LogLevel::debug};
  Metrics metrics;
  FaultPlan faults;
  FaultyHistory history;
  FixedFingerprints fingerprints;
  jobs::VolatilePayloads memory;
  jobs::ParcelMaker parcels;
  sallyport::jobs::RecipeOutlines outlines;
  sallyport::jobs::RetentionRules retention;
  jobs::LocalJobFeed feed;
  jobs::Dispatcher dispatcher;
  jobs::Journals journals;
  jobs::Assigner assigner;
  FaultyJobs jobs;
  sallyport::jobs::Recorder recorder;
  gateway::Links links;
  gateway::KeyCourier courier;
  gateway::AgentClocks clocks{world.clock};
  gateway::Gateway gateway;
  Tenant tenant;
  TaskGroup tasks;

 private:
  gateway::Gateway::Parts parts();
  void open(gateway::Gateway& gateway);
  awaitable<void> close();

  gateway::GatewayLimits limits_;
  std::uint16_t port_ = 0;
  std::unique_ptr<gateway::Gateway> next_;
  std::unique_ptr<TaskGroup> door_;  // of the gateway, or the one after it
};

// The way inside a WebSocket, without the HTTPS around it: the same frames, the same session inside, the same door.
class CarriedTransport final : public agent::Transport {
 public:
  CarriedTransport(GatewayRig& rig, const agent::IdentityStore& identities) : rig_(rig), identities_(identities) {}
  awaitable<Result<std::unique_ptr<ByteStream>>> connect(agent::Endpoint relay, SteadyTime deadline) override;

 private:
  GatewayRig& rig_;
  const agent::IdentityStore& identities_;
};

// What an agent serves besides jobs: a capability, and what it does with a channel that the relay opens.
struct ServedPurpose {
  std::string capability;  // "": nothing
  std::string purpose;
  std::function<awaitable<void>(link::Channel)> serve;
};

// The agent's real link. Its work speaks the jobs channel: holds nothing, is ready, keeps what it is told.
class RealAgent final : public agent::LinkWork {
 public:
  RealAgent(GatewayRig& rig, const agent::Identity& identity, std::string proxy = "none", char boot = 1,
            agent::Way way = agent::Way::direct, ServedPurpose served = {});
  ~RealAgent() override;
  void start();
  awaitable<void> finish();
  awaitable<bool> until_ready();
  const agent::LinkStatus& status() const { return supervisor_.status(); }
  void send(const v1::ToRelay& message);

  std::string policy_summary_json() override { return R"({"connections":[{"name":"erp-db","kind":"sql"}]})"; }
  awaitable<void> on_link(link::Session& session) override;
  awaitable<void> on_jobs(link::Session& session) override;
  void on_ping(link::Session& session, std::uint64_t nonce) override { session.pong(nonce); }
  void on_go_away(link::Session&, const std::string& reason, std::chrono::milliseconds) override { went_away = reason; }
  void on_state(const agent::LinkStatus&) override {}

  KeptIdentity identities;
  MovableClock wall;  // that its relay is told, with the capability
  platform::SystemBootClock boot_clock;
  agent::OwnClock own_clock{wall, boot_clock};
  LinesSink lines;
  std::vector<v1::ToAgent> told;
  std::string went_away;
  int links = 0;

 private:
  awaitable<void> send_loop(link::Channel& channel);

  GatewayRig& rig_;
  ServedPurpose served_;
  Log log_;
  agent::Dialer dialer_;
  std::unique_ptr<agent::Transport> transport_;
  agent::Renewer renewer_;
  std::vector<std::string> outgoing_;
  Event has_outgoing_;
  TaskGroup tasks_;
  agent::Supervisor supervisor_;
};

// An agent with a good certificate and bad manners.
class RawAgent : public RawPeer {
 public:
  static awaitable<std::expected<RawAgent, tls::Refusal>> connect(GatewayRig& rig, const agent::Identity& identity,
                                                                  std::string_view protocol = tls::kLinkProtocol);
  // Over a connection that it made before.
  static awaitable<std::expected<RawAgent, tls::Refusal>> connect(GatewayRig& rig, const agent::Identity& identity,
                                                                  std::string_view protocol,
                                                                  boost::asio::ip::tcp::socket socket);

 private:
  using RawPeer::RawPeer;
};

std::string as_message(const v1::ToRelay& message);  // with its length, for a data frame

}  // namespace sallyport::test
