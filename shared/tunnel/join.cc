#include "shared/tunnel/join.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/base/text.h"
#include "shared/tunnel/pacer.h"

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <memory>
#include <span>

namespace sallyport::tunnel {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kBuffer = 32u << 10;
constexpr std::size_t kTurn = 256u << 10;      // after which others on the loop have theirs
constexpr std::chrono::seconds kLastBytes{5};  // for what came before a reset, when the reader of it is slow

// One direction: from whom, to whom, and how far it is.
struct Way {
  link::Channel& from;
  link::Channel& to;
  std::uint64_t& moved;
  SpliceEnd lost;  // what a reset by `from` comes to
  bool over = false;
};

class Join {
 public:
  Join(const asio::any_io_executor& on, link::Channel& client, link::Channel& target, Flow& flow, SpliceLimits limits)
      : in_{client, target, flow.to_channel, SpliceEnd::socket_broken},
        out_{target, client, flow.from_channel, SpliceEnd::channel_broken},
        limits_(limits),
        timer_(on),
        tasks_(on, [this](const auto& task, const auto& why) { end(SpliceEnd::failed, task + ": " + why); }) {}

  asio::awaitable<SpliceOutcome> run(JoinStop* stop);

 private:
  asio::awaitable<void> carry(Way& way);
  asio::awaitable<void> watch(Way& way);
  void broke(const Way& way, const Error& why);
  void ended(Way& way);
  void end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code = std::nullopt);
  void close(const SpliceOutcome& outcome);
  SteadyTime idle_until() const { return limits_.idle.count() == 0 ? SteadyTime::max() : last_byte_ + limits_.idle; }

  Way in_, out_;
  const SpliceLimits limits_;
  SteadyTime last_byte_ = std::chrono::steady_clock::now();
  std::optional<SpliceOutcome> outcome_;
  asio::steady_timer timer_;
  TaskGroup tasks_;
};

asio::awaitable<SpliceOutcome> Join::run(JoinStop* stop) {
  const JoinStop::Ear ear(stop, timer_);
  tasks_.spawn("client to target", carry(in_));
  tasks_.spawn("target to client", carry(out_));
  tasks_.spawn("watch over the client", watch(in_));
  tasks_.spawn("watch over the target", watch(out_));
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  while (!outcome_ && cancellation.cancelled() == asio::cancellation_type::none && !ear.heard()) {
    timer_.expires_at(idle_until());
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (std::chrono::steady_clock::now() >= idle_until()) {
      end(SpliceEnd::idle, fmt::format("no byte for {}", format_duration(limits_.idle)));
    }
  }
  auto outcome = outcome_.value_or(SpliceOutcome{SpliceEnd::stopped, std::nullopt, "it was stopped on this side"});
  close(outcome);
  tasks_.stop();
  co_await tasks_.join();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return outcome;
}

asio::awaitable<void> Join::carry(Way& way) {
  std::unique_ptr<std::byte[]> buffer;
  Pacer pace(limits_.bytes_per_second);
  const auto loop = co_await asio::this_coro::executor;
  for (std::size_t moved = 0;;) {
    if (!way.from.readable()) {
      buffer.reset();
      if (!co_await way.from.wait_readable()) co_return;
    }
    if (moved >= kTurn) {
      co_await asio::post(loop, asio::use_awaitable);
      moved = 0;
    }
    if (!buffer) buffer = std::make_unique_for_overwrite<std::byte[]>(kBuffer);
    const std::span<std::byte> into(buffer.get(), pace.chunk(kBuffer));
    const auto count = co_await way.from.read_some(into);
    if (!count) co_return broke(way, count.error());
    if (*count == 0) co_return ended(way);
    last_byte_ = std::chrono::steady_clock::now();
    if (!co_await way.to.write(into.first(*count))) co_return;  // its own watch() says why
    last_byte_ = std::chrono::steady_clock::now();
    way.moved += *count;
    moved += *count;
    if (!pace.limits()) continue;
    buffer.reset();
    co_await sleep_until(pace.spend(*count, std::chrono::steady_clock::now()));
  }
}

// A reset is seen here also while carry() waits for credit of the other, or has seen the end of what `from` sends.
asio::awaitable<void> Join::watch(Way& way) {
  const auto why = co_await way.from.wait_broken();
  if (!way.over) co_await sleep_for(kLastBytes);
  broke(way, why);
}

void Join::broke(const Way& way, const Error& why) {
  if (auto reset = way.from.peer_reset()) return end(way.lost, std::move(reset->text), reset->code);
  end(way.lost, why.message);
}

void Join::ended(Way& way) {
  if (!way.to.finish()) return;  // broken, and its own watch() says why
  way.over = true;
  if (in_.over && out_.over) end(SpliceEnd::finished, "");
}

void Join::end(SpliceEnd why, std::string detail, std::optional<mux::ResetCode> code) {
  if (outcome_) return;
  outcome_ = SpliceOutcome{why, code, std::move(detail)};
  timer_.cancel();
}

// What was handed to a channel before its other end broke off is on its way still.
void Join::close(const SpliceOutcome& outcome) {
  using enum mux::ResetCode;
  switch (outcome.end) {
    case SpliceEnd::finished: return;
    case SpliceEnd::socket_broken: return in_.to.reset(broken, outcome.detail, mux::Unsent::send);
    case SpliceEnd::channel_broken:
      return out_.to.reset(outcome.code.value_or(cancelled), outcome.detail, mux::Unsent::send);
    case SpliceEnd::failed:
    case SpliceEnd::idle:
    case SpliceEnd::stopped: break;
  }
  const auto code = outcome.end == SpliceEnd::failed ? internal : cancelled;
  in_.from.reset(code, outcome.detail);
  in_.to.reset(code, outcome.detail);
}

}  // namespace

void JoinStop::request() {
  requested_ = true;
  if (timer_) timer_->cancel();
}

JoinStop::Ear::Ear(JoinStop* stop, asio::steady_timer& timer) : stop_(stop) {
  if (stop_) stop_->timer_ = &timer;
}

JoinStop::Ear::~Ear() {
  if (stop_) stop_->timer_ = nullptr;
}

asio::awaitable<SpliceOutcome> join(link::Channel& client, link::Channel& target, Flow& flow, SpliceLimits limits,
                                    JoinStop* stop) {
  Join work(co_await asio::this_coro::executor, client, target, flow, limits);
  co_return co_await work.run(stop);
}

}  // namespace sallyport::tunnel
