#include "relay/gateway/agent_session.h"

#include "proto/sallyport/v1/link.pb.h"
#include "relay/gateway/codec.h"
#include "relay/gateway/peer_summary.h"
#include "relay/jobs/sealing.h"
#include "shared/async/timeout.h"
#include "shared/mux/message.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <stdexcept>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

constexpr auto kStoreRetry = std::chrono::seconds(1);
constexpr auto kAfterWrong = std::chrono::seconds(30);
constexpr auto kAfterUnknown = std::chrono::minutes(1);  // a database put back knows the certificate again
constexpr std::string_view kJobsPurpose = "jobs/1";
constexpr std::string_view kTunnels = "tunnels";  // a capability (docs/protocol.md P14)

link::SessionOptions options(const SessionLimits& limits) {
  link::SessionOptions options;
  options.side = mux::Side::relay;
  options.self.software = "sallyport-relay/" SALLYPORT_VERSION;
  options.self.capabilities = {"jobs", "renewal", "health", std::string(kTunnels)};
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
                           std::string address, SessionServices services, SessionLimits limits)
    : executor_(executor),
      services_(services),
      limits_(limits),
      address_(std::move(address)),
      identity_(identity_of(*stream)),
      who_{identity_.id.org, identity_.id.agent, {}},
      since_(services.clock.wall()),
      has_outgoing_(executor),
      reports_(executor),
      health_(executor, {services.connections, services.envelope, services.clock, services.log}, who_.org, who_.agent),
      has_renewal_(executor),
      session_(executor, std::move(stream), options(limits), *this, services.clock) {}

asio::awaitable<void> AgentSession::run() {
  const auto end = co_await session_.run();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  services_.links.leave(*this);
  if (admitted_) co_await note_sighting();
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
  if (auto refusal = services_.links.enter(*this)) {
    AuditRecord record{.actor = "agent:" + who_.agent.value,
                       .action = "agent.quarantine",
                       .target = "agent:" + who_.agent.value,
                       .outcome = AuditOutcome::refused,
                       .detail = {{Value("address"), Value(address_)}},
                       .request_id = ""};
    (void)co_await services_.audit.record(who_.org, std::move(record));
    co_return refusal;
  }
  admitted_ = true;
  knows_tunnels_ = std::ranges::find(peer.capabilities, kTunnels) != peer.capabilities.end();
  co_await note_peer(std::move(peer));
  services_.log.info("link.up", {{"org", who_.org.value}, {"agent", who_.agent.value}, {"address", address_}});
  co_return std::nullopt;
}

// What the agent says of itself is for people; failing to write it down does not cost the link.
asio::awaitable<void> AgentSession::note_peer(link::Peer peer) {
  sighting_ = {peer.hostname, peer.software, {}};
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
asio::awaitable<void> AgentSession::sighting_loop() {
  for (;;) {
    co_await sleep_for(limits_.sighting);
    if (is_alive()) co_await note_sighting();
  }
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
  services_.dispatcher.link_up(*this);
  services_.assigner.link_up(*this);
  TaskGroup tasks(executor_, [this](const std::string& task, const std::string& why) { fault(task, why); });
  std::optional<link::Channel> channel;
  if (auto incoming = co_await session.accept_channel()) {
    channel.emplace(std::move(incoming->channel));
    tasks.spawn("receive", receive_loop(*channel));
    tasks.spawn("send", send_loop(*channel));
    tasks.spawn("record", record_loop());
    tasks.spawn("renew", renew_loop());
    tasks.spawn("health", health_.run());
    tasks.spawn("sighting", sighting_loop());
    if (co_await session.accept_channel()) session_.refuse({"protocol", "P13.1: a second jobs channel", kAfterWrong});
    Event for_ever(executor_);
    if (!session.ended()) co_await for_ever.wait();
  }
  services_.dispatcher.link_down(*this);
  services_.assigner.link_down(*this);
  tasks.stop();
  co_await tasks.join();
}

void AgentSession::fault(const std::string& task, const std::string& why) {
  services_.log.error("link.fault", {{"agent", who_.agent.value}, {"task", task}, {"why", why}});
  session_.stop("fault in " + task);
}

asio::awaitable<void> AgentSession::receive_loop(link::Channel& channel) {
  for (;;) {
    auto message = co_await channel.receive_message();
    if (!message || !*message) co_return session_.stop("the jobs channel ended");
    auto decoded = decode(**message);
    if (!decoded) co_return session_.refuse({"protocol", decoded.error().message, kAfterWrong});
    if (auto taken = co_await receive(std::move(*decoded), (*message)->size()); !taken)
      co_return session_.stop(taken.error().message);
  }
}

asio::awaitable<Result<void>> AgentSession::receive(jobs::FromAgent message, std::size_t bytes) {
  if (auto* holding = std::get_if<jobs::Holding>(&message)) co_return co_await take_holding(std::move(*holding));
  if (auto* ready = std::get_if<jobs::Ready>(&message)) {
    services_.dispatcher.ready(*this, ready->slots);
  } else if (auto* answer = std::get_if<jobs::DispatchAnswer>(&message)) {
    co_await services_.dispatcher.answered(*this, std::move(*answer));
  } else if (auto* told = std::get_if<jobs::ReportedUses>(&message)) {
    health_.take(std::move(*told));
  } else {
    co_await reports_.put(std::get<jobs::Report>(std::move(message)), bytes);
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> AgentSession::take_holding(jobs::Holding holding) {
  if (!journal_met_) {
    SP_CO_CHECK(co_await services_.journals.meet(*this, {holding.journal, holding.journal_seq}));
    who_.journal = holding.journal;
    journal_met_ = true;
  }
  const auto revision = holding.assignments_revision;
  co_await services_.dispatcher.holding(*this, std::move(holding));
  co_await services_.assigner.sync(*this, revision);
  co_return Result<void>();
}

asio::awaitable<void> AgentSession::record_loop() {
  for (;;) {
    auto batch = co_await reports_.oldest();
    const auto count = batch.size();
    const auto last = batch.back().seq;
    if (auto recorded = co_await services_.recorder.record(*this, std::move(batch)); !recorded) {
      services_.log.error("report.not_stored", {{"agent", who_.agent.value}, {"message", recorded.error().message}});
      co_await sleep_for(kStoreRetry);
      continue;
    }
    reports_.stored(count);
    (void)post(jobs::ReportsAcked{last});
  }
}

Result<void> AgentSession::post(jobs::ToAgent message) {
  auto pushed = outgoing_.push(message);
  if (pushed) has_outgoing_.set();
  if (!pushed && pushed.error().code == Errc::exhausted)
    session_.refuse({"overloaded", pushed.error().message, std::chrono::seconds(1)});
  return pushed;
}

asio::awaitable<void> AgentSession::send_loop(link::Channel& channel) {
  for (;;) {
    const bool was_full = outgoing_.room_for_jobs() == 0;
    auto message = outgoing_.pop();
    if (!message) {
      has_outgoing_.clear();
      co_await has_outgoing_.wait();
      continue;
    }
    if (was_full && outgoing_.room_for_jobs() > 0) services_.dispatcher.wake();
    if (auto sent = co_await channel.send_message(*std::move(message)); !sent)
      co_return session_.stop(sent.error().message);
  }
}

void AgentSession::on_ping(link::Session&, std::uint64_t nonce) { services_.dispatcher.ping(*this, nonce); }

void AgentSession::on_control(link::Session&, const v1::Control& message) {
  if (!message.has_renew_request() || renewal_) return;
  const auto csr = as_bytes(message.renew_request().csr_der());
  renewal_.emplace(csr.begin(), csr.end());
  has_renewal_.set();
}

asio::awaitable<void> AgentSession::renew_loop() {
  for (;;) {
    if (!renewal_) {
      has_renewal_.clear();
      co_await has_renewal_.wait();
      continue;
    }
    co_await renew(*renewal_);
    renewal_.reset();
  }
}

asio::awaitable<void> AgentSession::renew(Bytes csr_der) {
  auto issued = co_await services_.renewals.renew(identity_, std::move(csr_der));
  v1::Control control;
  auto& response = *control.mutable_renew_response();
  if (issued) {
    response.set_certificate_der(std::string(as_text(issued->certificate.der())));
    for (const auto& ca : issued->chain) response.add_chain_der(std::string(as_text(ca.der())));
    services_.log.info("agent.renewed", {{"org", who_.org.value}, {"agent", who_.agent.value}});
  } else {
    response.set_error(issued.error().message);
    services_.log.warn("agent.renewal_refused", {{"agent", who_.agent.value}, {"message", issued.error().message}});
  }
  (void)session_.send_control(control);
}

}  // namespace sallyport::gateway
