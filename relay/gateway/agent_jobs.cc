#include "relay/gateway/agent_jobs.h"

#include "relay/gateway/codec.h"
#include "shared/async/timeout.h"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace sallyport::gateway {
namespace asio = boost::asio;
namespace {

constexpr auto kStoreRetry = std::chrono::seconds(1);
constexpr auto kSeeOff = std::chrono::seconds(3);

}  // namespace

AgentJobs::AgentJobs(const asio::any_io_executor& executor, link::Session& session, JobServices services,
                     jobs::LinkedAgent who)
    : executor_(executor),
      session_(session),
      services_(services),
      who_(std::move(who)),
      over_(executor),
      quieter_(executor),
      reports_(executor),
      health_({services.connections, services.envelope, services.clock, services.log}, who_.org, who_.agent) {}

asio::awaitable<void> AgentJobs::run(link::Channel channel) {
  co_await asio::this_coro::throw_if_cancelled(false);  // the end of the link must not skip the farewells below
  if (over_.is_set()) co_return;
  services_.dispatcher.link_up(*this);
  services_.assigner.link_up(*this);
  TaskGroup tasks(executor_, [this](const std::string& task, const std::string& why) { fault(task, why); });
  channel_ = &channel;
  tasks_ = &tasks;
  tasks.spawn("receive", receive_loop(channel));
  begin_sending();
  co_await over_.wait();
  services_.dispatcher.link_down(*this);
  services_.assigner.link_down(*this);
  tasks.stop();
  co_await tasks.join();
  tasks_ = nullptr;
  channel_ = nullptr;
}

void AgentJobs::fault(const std::string& task, const std::string& why) {
  services_.log.error("link.fault", {{"agent", who_.agent.value}, {"task", task}, {"why", why}});
  session_.stop("fault in " + task);
  over_.set();
}

asio::awaitable<void> AgentJobs::receive_loop(link::Channel& channel) {
  for (;;) {
    auto message = co_await channel.receive_message();
    if (!message) co_return over_.set();
    if (!*message) co_return co_await see_off(channel);
    auto decoded = decode(**message);
    if (!decoded)
      co_return session_.refuse({"protocol", decoded.error().message, link::kRetryAfterViolation}), over_.set();
    if (auto taken = co_await receive(std::move(*decoded), (*message)->size()); !taken)
      co_return session_.stop(taken.error().message), over_.set();
  }
}

asio::awaitable<Result<void>> AgentJobs::receive(jobs::FromAgent message, std::size_t bytes) {
  if (auto* holding = std::get_if<jobs::Holding>(&message)) co_return co_await take_holding(std::move(*holding));
  if (auto* ready = std::get_if<jobs::Ready>(&message)) {
    services_.dispatcher.ready(*this, ready->slots);
  } else if (auto* answer = std::get_if<jobs::DispatchAnswer>(&message)) {
    co_await services_.dispatcher.answered(*this, std::move(*answer));
  } else if (auto* told = std::get_if<jobs::ReportedUses>(&message)) {
    health_.take(std::move(*told));
    begin_noting();
  } else {
    co_await reports_.put(std::get<jobs::Report>(std::move(message)), bytes);
    begin_recording();
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> AgentJobs::take_holding(jobs::Holding holding) {
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

// The agent says no more here. What it said is stored and confirmed, as far as that goes in time; it says the rest
// again on its next channel.
asio::awaitable<void> AgentJobs::see_off(link::Channel& channel) {
  services_.dispatcher.link_down(*this);
  services_.assigner.link_down(*this);
  const auto deadline = std::chrono::steady_clock::now() + kSeeOff;
  while ((reports_.size() > 0 || outgoing_.bytes() > 0 || sending_) && std::chrono::steady_clock::now() < deadline) {
    quieter_.clear();
    co_await quieter_.wait_until(deadline);
  }
  (void)channel.finish();
  over_.set();
}

void AgentJobs::begin_recording() {
  if (!std::exchange(recording_, true)) tasks_->spawn("record", record_waiting());
}

asio::awaitable<void> AgentJobs::record_waiting() {
  std::string told;  // why the last try failed
  while (reports_.size() > 0) {
    auto batch = co_await reports_.oldest();
    const auto count = batch.size();
    const auto last = batch.back().seq;
    if (auto recorded = co_await services_.recorder.record(*this, std::move(batch)); !recorded) {
      const bool is_news = std::exchange(told, recorded.error().message) != recorded.error().message;
      if (is_news) services_.log.error("report.not_stored", {{"agent", who_.agent.value}, {"message", told}});
      co_await sleep_for(kStoreRetry);
      continue;
    }
    reports_.stored(count);
    (void)post(jobs::ReportsAcked{last});
    quieter_.set();
  }
  recording_ = false;
}

void AgentJobs::begin_noting() {
  if (health_.waiting() > 0 && !std::exchange(noting_, true)) tasks_->spawn("health", note_health());
}

asio::awaitable<void> AgentJobs::note_health() {
  co_await health_.run();
  noting_ = false;
}

Result<void> AgentJobs::post(jobs::ToAgent message) {
  auto pushed = outgoing_.push(message);
  if (pushed) begin_sending();
  if (!pushed && pushed.error().code == Errc::exhausted)
    session_.refuse({"overloaded", pushed.error().message, std::chrono::seconds(1)});
  return pushed;
}

void AgentJobs::begin_sending() {
  if (tasks_ == nullptr || outgoing_.bytes() == 0) return;
  if (!std::exchange(sending_, true)) tasks_->spawn("send", send_waiting());
}

asio::awaitable<void> AgentJobs::send_waiting() {
  for (;;) {
    const bool was_full = outgoing_.room_for_jobs() == 0;
    auto message = outgoing_.pop();
    if (!message) break;
    if (was_full && outgoing_.room_for_jobs() > 0) services_.dispatcher.wake();
    if (auto sent = co_await channel_->send_message(*std::move(message)); !sent) co_return over_.set();
  }
  sending_ = false;
  quieter_.set();
}

}  // namespace sallyport::gateway
