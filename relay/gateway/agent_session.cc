#include "relay/gateway/agent_session.h"

#include "proto/sallyport/v1/link.pb.h"
#include "relay/gateway/codec.h"
#include "relay/gateway/peer_summary.h"
#include "shared/async/timeout.h"
#include "shared/mux/message.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <iterator>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMaxOutgoing = 2'000;
constexpr std::size_t kMaxOutgoingBytes = 16u << 20;
constexpr std::size_t kMaxReports = 512;
constexpr std::size_t kReportsAtOnce = 256;
constexpr auto kStoreRetry = std::chrono::seconds(1);
constexpr auto kAfterWrong = std::chrono::seconds(30);
constexpr std::string_view kJobsPurpose = "jobs/1";

link::SessionOptions options(const SessionLimits& limits) {
  link::SessionOptions options;
  options.side = mux::Side::relay;
  options.self.software = "sallyport-relay/" SALLYPORT_VERSION;
  options.self.capabilities = {"jobs", "renewal"};
  options.serves = {std::string(kJobsPurpose)};
  options.times.heartbeat = limits.heartbeat;
  return options;
}

link::Refusal refusal_of(const tls::Refusal& refusal) {
  if (refusal.reason == tls::reason::kUnavailable)
    return {"overloaded", "the relay cannot check the identity now", std::chrono::seconds(5)};
  if (refusal.reason == tls::reason::kOldGeneration) return {"quarantined", refusal.error.message, {}};
  return {"revoked", refusal.error.message, {}};
}

}  // namespace

AgentSession::AgentSession(asio::any_io_executor executor, std::unique_ptr<tls::TlsStream> stream, std::string address,
                           SessionServices services, SessionLimits limits)
    : executor_(executor),
      services_(services),
      address_(std::move(address)),
      identity_(stream->facts().agent.value()),
      who_{identity_.id.org, identity_.id.agent, {}},
      since_(services.clock.wall()),
      has_outgoing_(executor),
      has_reports_(executor),
      reports_drained_(executor),
      has_renewal_(executor),
      session_(executor, std::move(stream), options(limits), *this, services.clock) {}

asio::awaitable<void> AgentSession::run() {
  const auto end = co_await session_.run();
  services_.links.leave(*this);
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
  co_await note_peer(std::move(peer));
  services_.log.info("link.up", {{"org", who_.org.value}, {"agent", who_.agent.value}, {"address", address_}});
  co_return std::nullopt;
}

// What the agent says of itself is for people; failing to write it down does not cost the link.
asio::awaitable<void> AgentSession::note_peer(link::Peer peer) {
  auto seen =
      co_await services_.agents.seen(who_.org, who_.agent, {peer.hostname, peer.software, services_.clock.wall()});
  auto connections = connections_of(who_.org, who_.agent, peer.policy_summary_json, services_.clock.wall());
  if (!connections) {
    services_.log.warn("link.bad_summary", {{"agent", who_.agent.value}, {"message", connections.error().message}});
    co_return;
  }
  auto stored = co_await services_.connections.replace(who_.org, who_.agent, std::move(*connections));
  for (const auto& outcome : {seen, stored}) {
    if (!outcome)
      services_.log.warn("link.not_noted", {{"agent", who_.agent.value}, {"message", outcome.error().message}});
  }
}

asio::awaitable<void> AgentSession::serve(link::Session& session) {
  co_await asio::this_coro::throw_if_cancelled(false);  // the end of the link must not skip the farewells below
  services_.dispatcher.link_up(*this);
  services_.assigner.link_up(*this);
  TaskGroup tasks(executor_, [this](const std::string& task, std::exception_ptr) { fault(task); });
  std::optional<link::Channel> channel;
  if (auto incoming = co_await session.accept_channel()) {
    channel.emplace(std::move(incoming->channel));
    tasks.spawn("receive", receive_loop(*channel));
    tasks.spawn("send", send_loop(*channel));
    tasks.spawn("record", record_loop());
    tasks.spawn("renew", renew_loop());
    if (co_await session.accept_channel()) session_.refuse({"protocol", "P13.1: a second jobs channel", kAfterWrong});
    Event for_ever(executor_);
    if (!session.ended()) co_await for_ever.wait();
  }
  services_.dispatcher.link_down(*this);
  services_.assigner.link_down(*this);
  tasks.stop();
  co_await tasks.join();
}

void AgentSession::fault(const std::string& task) {
  services_.log.error("link.fault", {{"agent", who_.agent.value}, {"task", task}});
  session_.stop("fault in " + task);
}

asio::awaitable<void> AgentSession::receive_loop(link::Channel& channel) {
  for (;;) {
    auto message = co_await channel.receive_message();
    if (!message || !*message) co_return session_.stop("the jobs channel ended");
    auto decoded = decode(**message);
    if (!decoded) co_return session_.refuse({"protocol", decoded.error().message, kAfterWrong});
    if (auto taken = co_await receive(std::move(*decoded)); !taken) co_return session_.stop(taken.error().message);
  }
}

asio::awaitable<Result<void>> AgentSession::receive(jobs::FromAgent message) {
  if (auto* holding = std::get_if<jobs::Holding>(&message)) {
    const auto revision = holding->assignments_revision;
    co_await services_.dispatcher.holding(*this, std::move(*holding));
    co_await services_.assigner.sync(*this, revision);
  } else if (auto* ready = std::get_if<jobs::Ready>(&message)) {
    services_.dispatcher.ready(*this, ready->slots);
  } else if (auto* answer = std::get_if<jobs::DispatchAnswer>(&message)) {
    co_await services_.dispatcher.answered(*this, std::move(*answer));
  } else {
    while (reports_.size() >= kMaxReports) {
      reports_drained_.clear();
      co_await reports_drained_.wait();
    }
    reports_.push_back(std::get<jobs::Report>(std::move(message)));
    has_reports_.set();
  }
  co_return Result<void>();
}

asio::awaitable<void> AgentSession::record_loop() {
  for (;;) {
    if (reports_.empty()) {
      has_reports_.clear();
      co_await has_reports_.wait();
      continue;
    }
    std::vector<jobs::Report> batch(
        reports_.begin(), reports_.begin() + static_cast<std::ptrdiff_t>(std::min(reports_.size(), kReportsAtOnce)));
    const auto last = batch.back().seq;
    const auto count = static_cast<std::ptrdiff_t>(batch.size());
    if (auto recorded = co_await services_.recorder.record(*this, std::move(batch)); !recorded) {
      services_.log.error("report.not_stored", {{"agent", who_.agent.value}, {"message", recorded.error().message}});
      co_await sleep_for(kStoreRetry);
      continue;
    }
    reports_.erase(reports_.begin(), reports_.begin() + count);
    reports_drained_.set();
    (void)post(jobs::ReportsAcked{last});
  }
}

Result<void> AgentSession::post(jobs::ToAgent message) {
  auto parts = encode(message);
  std::size_t size = 0;
  for (const auto& part : parts) {
    if (part.size() > mux::kMaxMessage)
      return fail(Errc::too_large, fmt::format("a message of {} bytes does not fit on a channel", part.size()));
    size += part.size();
  }
  if (outgoing_.size() + parts.size() > kMaxOutgoing || outgoing_bytes_ + size > kMaxOutgoingBytes) {
    session_.refuse({"overloaded", "the agent does not take its messages", std::chrono::seconds(1)});
    return fail(Errc::exhausted, "the agent does not take its messages");
  }
  outgoing_bytes_ += size;
  std::ranges::move(parts, std::back_inserter(outgoing_));
  has_outgoing_.set();
  return {};
}

asio::awaitable<void> AgentSession::send_loop(link::Channel& channel) {
  for (;;) {
    if (outgoing_.empty()) {
      has_outgoing_.clear();
      co_await has_outgoing_.wait();
      continue;
    }
    auto message = std::move(outgoing_.front());
    outgoing_.pop_front();
    outgoing_bytes_ -= message.size();
    if (auto sent = co_await channel.send_message(std::move(message)); !sent)
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
