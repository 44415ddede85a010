#include "relay/gateway/agent_session.h"

#include "proto/sallyport/v1/link.pb.h"
#include "relay/gateway/peer_summary.h"
#include "relay/jobs/sealing.h"
#include "shared/async/timeout.h"
#include "shared/mux/message.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

constexpr std::uint64_t kBulk = 64u << 10;  // bytes in a second or two: keystrokes and queries do not get there
constexpr std::size_t kMaxSerial = 64;
constexpr auto kAfterWrong = std::chrono::seconds(30);
constexpr auto kAfterUnknown = std::chrono::minutes(1);  // a database put back knows the certificate again
constexpr std::string_view kJobsPurpose = "jobs/1";
constexpr std::string_view kTunnels = "tunnels";   // a capability (docs/protocol.md P14)
constexpr std::string_view kDryRuns = "dry-runs";  // a capability (docs/protocol.md P13.24)
// For an agent that does not know `links`, and so ends nothing by itself.
constexpr auto kLongestDrainOfOlder = std::chrono::seconds(2);

link::SessionOptions options(const SessionLimits& limits) {
  link::SessionOptions options;
  options.side = mux::Side::relay;
  options.self.software = "sallyport-relay/" SALLYPORT_VERSION;
  options.self.capabilities = {"jobs",
                               "renewal",
                               "health",
                               std::string(kDryRuns),
                               std::string(kTunnels),
                               std::string(link::kLinks),
                               std::string(kSystemKeys),
                               std::string(kAuthorizations),
                               std::string(kClock)};
  options.self.links = limits.links;
  options.self.addresses = limits.addresses;
  options.serves = {std::string(kJobsPurpose)};
  options.times.heartbeat = limits.heartbeat;
  return options;
}

link::Refusal refusal_of(const tls::Refusal& refusal) {
  if (refusal.reason == tls::reason::kUnavailable)
    return {"overloaded", "the relay cannot check the identity now", std::chrono::seconds(5)};
  if (refusal.reason == tls::reason::kOldGeneration) return {"quarantined", refusal.error.message, {}};
  if (refusal.reason == tls::reason::kUnknownSerial) return {"unknown", refusal.error.message, kAfterUnknown};
  return {"revoked", refusal.error.message, {}};
}

// The handshake on the agents' port does not end without one.
const tls::PeerIdentity& identity_of(const tls::SecureStream& stream) {
  const auto& agent = stream.facts().agent;
  if (!agent) throw std::logic_error("a link whose agent nobody has checked");
  return *agent;
}

}  // namespace

AgentSession::AgentSession(const asio::any_io_executor& executor, std::unique_ptr<tls::SecureStream> stream,
                           std::string address, SessionServices services, const SessionLimits& limits)
    : executor_(executor),
      services_(services),
      limits_(limits),
      address_(std::move(address)),
      identity_(identity_of(*stream)),
      who_{identity_.id.org, identity_.id.agent, {}},
      since_(services.clock.wall()),
      session_(executor, std::move(stream), options(limits), *this, services.clock) {}

asio::awaitable<void> AgentSession::run() {
  const auto end = co_await session_.run();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  const bool last = admitted_ && services_.links.is_only(*this);
  services_.links.leave(*this);
  if (last) services_.clocks.leave(who_.org, who_.agent);
  if (last) co_await note_sighting();
  services_.log.info(admitted_ ? "link.lost" : "link.refused",
                     {{"org", who_.org.value},
                      {"agent", who_.agent.value},
                      {"address", address_},
                      {"reason", end.refusal ? end.refusal->code : std::string(link::to_string(end.end))},
                      {"message", end.message}});
}

asio::awaitable<std::optional<link::Refusal>> AgentSession::admit(link::Peer peer) {
  auto agent = co_await services_.admissions.admit(identity_);
  if (!agent) co_return refusal_of(agent.error());
  who_.group = agent->group;
  boot_id_ = peer.boot_id;
  knows_links_ = knows(peer, link::kLinks);
  if (knows_links_) number_ = peer.link;
  if (auto refusal = services_.links.enter(*this)) {
    co_await services_.admissions.note_copy(identity_, address_);
    co_return refusal;
  }
  admitted_ = true;
  next_sighting_ = services_.clock.steady() + limits_.sighting;
  who_.knows_dry_runs = knows(peer, kDryRuns);
  knows_tunnels_ = knows(peer, kTunnels);
  knows_system_keys_ = knows(peer, kSystemKeys);
  knows_authorizations_ = knows(peer, kAuthorizations);
  sighting_ = {peer.hostname, peer.software, {}};
  // The others of its process have told the same.
  if (services_.links.is_only(*this)) co_await note_peer(std::move(peer));
  services_.log.info(
      "link.up", {{"org", who_.org.value}, {"agent", who_.agent.value}, {"address", address_}, {"number", number_}});
  co_return std::nullopt;
}

// What the agent says of itself is for people; failing to write it down does not cost the link.
asio::awaitable<void> AgentSession::note_peer(link::Peer peer) {
  co_await note_sighting();
  auto connections = connections_of(who_.org, who_.agent, peer.policy_summary_json, services_.clock.wall());
  if (!connections) {
    services_.log.warn("link.bad_summary", {{"agent", who_.agent.value}, {"message", connections.error().message}});
    co_return;
  }
  auto stored = co_await note_connections(std::move(*connections));
  if (!stored) services_.log.warn("link.not_noted", {{"agent", who_.agent.value}, {"message", stored.error().message}});
}

asio::awaitable<void> AgentSession::note_sighting() {
  sighting_.at = services_.clock.wall();
  const auto seen = co_await services_.agents.seen(who_.org, who_.agent, sighting_);
  if (!seen) services_.log.warn("link.not_noted", {{"agent", who_.agent.value}, {"message", seen.error().message}});
}

// Those of many agents at once share a commit of the store.
void AgentSession::note_sighting_if_due(SteadyTime now) {
  if (!admitted_ || now < next_sighting_ || !is_alive() || jobs_channels_ == 0) return;
  next_sighting_ = now + limits_.sighting;
  session_.spawn("sighting", note_sighting());
}

asio::awaitable<Result<void>> AgentSession::note_connections(std::vector<ToldConnection> told) {
  std::vector<store::Connection> connections;
  for (auto& [connection, detail] : told) {
    auto identity = jobs::connection_identity(who_.org, who_.agent, connection.name);
    SP_CO_TRY(connection.sealed_detail,
              co_await jobs::seal_any(services_.envelope, std::move(identity), std::move(detail)));
    connections.push_back(std::move(connection));
  }
  co_return co_await services_.connections.replace(who_.org, who_.agent, std::move(connections));
}

asio::awaitable<void> AgentSession::serve(link::Session& session) {
  co_await asio::this_coro::throw_if_cancelled(false);  // the end of the link must not skip the farewells below
  serving_ = true;
  lead_to_root();
  services_.courier.visit(who_.org, who_.agent);
  TaskGroup tasks(executor_, [this](const std::string& task, const std::string& why) { fault(task, why); });
  while (auto incoming = co_await session.accept_channel()) {
    if (jobs_channels_ > 0 && !knows_links_) {
      session.refuse({"protocol", "P13.1: a second jobs channel", kAfterWrong});
      break;
    }
    ++jobs_channels_;
    tasks.spawn("jobs", carry_jobs(std::move(incoming->channel)));
  }
  services_.dispatcher.forget(*this);
  tasks.stop();
  co_await tasks.join();
}

asio::awaitable<void> AgentSession::carry_jobs(link::Channel channel) {
  co_await asio::this_coro::throw_if_cancelled(false);
  {
    AgentJobs jobs(executor_, session_,
                   {services_.dispatcher, services_.journals, services_.recorder, services_.assigner,
                    services_.connections, services_.envelope, services_.clock, services_.log},
                   who_);
    JobsSeat seat(services_.links.seats(), executor_, who_.agent, [&jobs] { jobs.leave(); });
    if (co_await seat.taken() && !session_.ended()) co_await jobs.run(std::move(channel));
  }
  --jobs_channels_;
  if (!knows_links_ && !session_.ended()) session_.stop("the jobs channel ended");
}

jobs::LinkFacts AgentSession::facts() const {
  const auto channels = session_.open_channels();
  return {.peer = address_,
          .since = since_,
          .round_trip = session_.round_trip(),
          .jobs = jobs_channels_ > 0,
          .tunnels = channels - std::min(channels, jobs_channels_),
          .draining = session_.draining(),
          .bulk = session_.carried_lately() >= kBulk};
}

void AgentSession::go_away(std::string reason, std::chrono::milliseconds drain) {
  session_.go_away(std::move(reason),
                   knows_links_ ? drain : std::min<std::chrono::milliseconds>(drain, kLongestDrainOfOlder));
}

void AgentSession::fault(const std::string& task, const std::string& why) {
  services_.log.error("link.fault", {{"agent", who_.agent.value}, {"task", task}, {"why", why}});
  session_.stop("fault in " + task);
}

void AgentSession::on_ping(link::Session&, std::uint64_t nonce) { services_.dispatcher.ping(*this, nonce); }

void AgentSession::on_control(link::Session&, const v1::Control& message) {
  if (message.has_clock()) services_.clocks.hear(who_.org, who_.agent, message.clock().wall_ms());
  if (message.has_renew_done() && !installed_ && message.renew_done().serial().size() <= kMaxSerial)
    installed_ = message.renew_done().serial();
  if (message.has_renew_request() && !renewal_) {
    const auto csr = as_bytes(message.renew_request().csr_der());
    renewal_.emplace(csr.begin(), csr.end());
  }
  if ((installed_ || renewal_) && !std::exchange(renewing_, true)) session_.spawn("renewal", renew_all());
}

asio::awaitable<void> AgentSession::renew_all() {
  while (installed_ || renewal_) {
    if (auto serial = std::exchange(installed_, std::nullopt)) co_await note_installed(*std::move(serial));
    if (auto csr = std::exchange(renewal_, std::nullopt)) co_await renew(*std::move(csr));
  }
  renewing_ = false;
}

void AgentSession::lead_to_root() {
  if (serving_) session_.spawn("lead to root", ask_for_renewal());
}

asio::awaitable<void> AgentSession::ask_for_renewal() {
  const auto leads = co_await services_.renewals.leads_to_root(identity_);
  if (!leads)
    services_.log.warn("agent.not_led_to_root", {{"agent", who_.agent.value}, {"message", leads.error().message}});
  if (!leads || !*leads) co_return;
  v1::Control control;
  control.mutable_renew_now();
  (void)session_.send_control(control);
}

asio::awaitable<void> AgentSession::note_installed(std::string serial) {
  const auto noted = co_await services_.admissions.confirm_installed(identity_, std::move(serial));
  if (!noted)
    services_.log.warn("agent.renewal_not_noted", {{"agent", who_.agent.value}, {"message", noted.error().message}});
  services_.courier.visit(who_.org, who_.agent);  // it signs its sealing key with the new one
}

asio::awaitable<void> AgentSession::renew(Bytes csr_der) {
  auto issued = co_await services_.renewals.renew(identity_, std::move(csr_der));
  v1::Control control;
  auto& response = *control.mutable_renew_response();
  if (issued) {
    response.set_certificate_der(std::string(as_text(issued->certificate.der())));
    for (const auto& ca : issued->chain) response.add_chain_der(std::string(as_text(ca.der())));
    if (const auto& succession = issued->succession) {
      response.set_root_der(std::string(as_text(succession->root.der())));
      response.set_root_cross_der(std::string(as_text(succession->before.cross.der())));
    }
    services_.log.info("agent.renewed", {{"org", who_.org.value}, {"agent", who_.agent.value}});
  } else {
    response.set_error(issued.error().message);
    services_.log.warn("agent.renewal_refused", {{"agent", who_.agent.value}, {"message", issued.error().message}});
  }
  (void)session_.send_control(control);
}

}  // namespace sallyport::gateway
