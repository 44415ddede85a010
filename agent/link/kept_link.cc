#include "agent/link/kept_link.h"

#include "proto/sallyport/v1/link.pb.h"
#include "shared/async/task_group.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::agent {
namespace asio = boost::asio;
using std::chrono::milliseconds;
namespace {
constexpr std::chrono::minutes kTellTimeEvery{1};
}

asio::awaitable<void> LinkWork::on_link(link::Session&) { co_return; }

KeptLink::KeptLink(std::uint32_t number, const asio::any_io_executor& executor, Supervisor::Parts parts,
                   LinkGroup& group)
    : number_(number), executor_(executor), parts_(parts), group_(group), jobs_turn_(executor) {}

asio::awaitable<LinkOutcome> KeptLink::run(Endpoint to, link::SessionOptions options, SteadyTime connected_by) {
  struct AtEnd {
    KeptLink& link;
    ~AtEnd() { link.session_ = nullptr, link.stage_ = Stage::idle, link.ready_since_.reset(), link.told_time_.reset(); }
  } at_end{*this};
  stage_ = Stage::dialling;
  address_ = to;
  auto stream = co_await parts_.transport.connect(std::move(to), connected_by);
  LinkOutcome outcome;
  if (!stream) {
    outcome.attempt = std::move(stream.error());
    co_return outcome;
  }
  if (!group_.takes_links()) co_return outcome;
  options.self.link = number_;
  options.self.policy_summary_json = parts_.work.policy_summary_json();
  link::Session current(executor_, *std::move(stream), std::move(options), *this, parts_.clock);
  session_ = &current;
  outcome.end = co_await current.run();
  outcome.handed_over = hands_over();
  outcome.ready_for = ready_for();
  co_return outcome;
}

std::optional<milliseconds> KeptLink::ready_for() const {
  if (!ready_since_) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(parts_.clock.steady() - *ready_since_);
}

bool KeptLink::hands_over() const { return stage_ == Stage::draining && knows(session_->peer(), link::kLinks); }

asio::awaitable<void> KeptLink::serve(link::Session& current) {
  stage_ = Stage::greeted;
  group_.welcomed(*this);
  TaskGroup tasks(executor_,
                  [&current](const auto& task, const auto&) { current.stop("the link's " + task + " failed"); });
  tasks.spawn("work", parts_.work.on_link(current));
  tasks.spawn("jobs", carry_jobs(current));
  tasks.spawn("readiness", report_ready(current));
  Event never(executor_);
  co_await never.wait();
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  tasks.stop();
  co_await tasks.join();
}

asio::awaitable<void> KeptLink::carry_jobs(link::Session& current) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!current.ended()) {
    if (group_.may_take_jobs(*this)) {
      co_await work_on_jobs(current);
    } else {
      jobs_turn_.clear();
      co_await jobs_turn_.wait();
    }
  }
}

// The seat is left only when all that ran on it has ended: nobody reads this channel any more when the next one opens.
asio::awaitable<void> KeptLink::work_on_jobs(link::Session& current) {
  struct Seat {
    KeptLink& link;
    explicit Seat(KeptLink& of) : link(of) { link.carries_jobs_ = true, link.group_.take_jobs(link); }
    ~Seat() { link.carries_jobs_ = false, link.group_.give_jobs_back(link); }
  } seat{*this};
  TaskGroup beside(executor_,
                   [&current](const auto& task, const auto&) { current.stop("the link's " + task + " failed"); });
  if (parts_.renewer) beside.spawn("renewal", parts_.renewer->run(current));
  std::exception_ptr fault;
  try {
    co_await parts_.work.on_jobs(current);
  } catch (...) {
    fault = std::current_exception();  // the renewal must end first
  }
  beside.stop();
  co_await beside.join();
  if (fault) std::rethrow_exception(fault);
  if (!current.ended() && !current.draining()) current.stop("the work on this link has ended");
}

LinkFacts KeptLink::facts() const {
  LinkFacts facts{.number = number_, .address = address_, .ready_since = ready_since_, .carries_jobs = carries_jobs_};
  if (stage_ == Stage::ready) facts.state = LinkState::ready;
  if (stage_ == Stage::draining) facts.state = LinkState::draining;
  if (session_ != nullptr) facts.round_trip = session_->round_trip();
  return facts;
}

asio::awaitable<void> KeptLink::report_ready(link::Session& current) {
  const auto proven = co_await current.wait_until_proven();
  if (!proven || current.draining()) co_return;
  ready_since_ = parts_.clock.steady();
  stage_ = Stage::ready;
  parts_.log.info("link.ready", {{"relay", current.peer().software},
                                 {"protocol", current.peer().protocol},
                                 {"address", to_string(address_)},
                                 {"number", number_}});
  group_.changed(*this);
}

void KeptLink::on_ping(link::Session& current, std::uint64_t nonce) {
  parts_.work.on_ping(current, nonce);
  tell_time(current);
}

void KeptLink::tell_time(link::Session& current) {
  if (parts_.own_clock == nullptr || !knows(current.peer(), kClock)) return;
  const auto now = parts_.clock.steady();
  if (told_time_ && now - *told_time_ < kTellTimeEvery) return;
  told_time_ = now;
  const auto wall = parts_.own_clock->tell();
  if (!wall) return;
  v1::Control message;
  message.mutable_clock()->set_wall_ms(unix_ms(*wall));
  (void)current.send_control(message);
}

void KeptLink::on_control(link::Session&, const v1::Control& message) {
  if (parts_.renewer && carries_jobs_ && message.has_renew_response())
    parts_.renewer->on_response(message.renew_response());
  if (parts_.renewer && message.has_renew_now()) parts_.renewer->on_renew_now();  // renewed on the link of the jobs
}

void KeptLink::on_go_away(link::Session& current, const std::string& reason, milliseconds drain) {
  parts_.log.info("link.going_away", {{"reason", reason}, {"number", number_}});
  stage_ = Stage::draining;
  group_.changed(*this);
  parts_.work.on_go_away(current, reason, drain);
}

void KeptLink::drain(std::string reason, milliseconds limit) {
  session_->go_away(std::move(reason), limit);
  stage_ = Stage::draining;
}

}  // namespace sallyport::agent
