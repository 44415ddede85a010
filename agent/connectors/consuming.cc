#include "agent/connectors/consuming.h"

#include "shared/async/blocking.h"
#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::connectors {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using Concern = TriggerSource::Concern;
namespace {

constexpr auto kOpening = 5min;  // the connection's own patience is shorter
constexpr auto kListening = 60s;
constexpr auto kSettling = 5s;
constexpr auto kTellPause = 60s;
constexpr std::chrono::milliseconds kFirstPause{1'000};
constexpr std::chrono::milliseconds kLongestPause{60'000};
constexpr std::chrono::milliseconds kLongestWaitForRoom{5'000};

bool is_final(const StepError& error) { return error.error_class() == "policy" || error.error_class() == "invalid"; }

// One run of the trigger.
class Run {
 public:
  Run(Consuming parts, const Clock& clock) : parts_(std::move(parts)), clock_(clock) {}

  asio::awaitable<StepResult<void>> run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {
      auto ended = co_await session();
      co_await run_blocking(thread_, [this] { consumer_.reset(); });
      if (co_await is_cancelled()) co_return StepResult<void>();
      if (is_final(ended)) co_return std::unexpected(std::move(ended));
      co_await tell(Concern::waits, parts_.tellable(std::move(ended)).message);
      co_await sleep_for(pause_);
      pause_ = std::min(2 * pause_, kLongestPause);
      if (co_await is_cancelled()) co_return StepResult<void>();
    }
  }

 private:
  static asio::awaitable<bool> is_cancelled() {
    co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
  }

  // A call on the session's thread.
  template <class Call>
  auto on_thread(std::chrono::seconds patience, const Call& call) {
    return run_stoppable(thread_, [deadline = clock_.steady() + patience, call](std::stop_token stop) {
      return call(CallLimits{deadline, std::move(stop)});
    });
  }

  // From opening to what ended it.
  asio::awaitable<StepError> session() {
    auto opened = co_await on_thread(kOpening, parts_.open);
    if (!opened) co_return std::move(opened).error();
    consumer_ = *std::move(opened);
    unusable_ = 0;
    co_await tell(Concern::waits, "");
    while (!co_await is_cancelled()) {
      auto next = co_await on_thread(kListening, [this](const CallLimits& limits) { return consumer_->next(limits); });
      if (!next) co_return std::move(next).error();
      pause_ = kFirstPause;
      if (!*next) continue;
      const auto settlement = co_await offer(**next);
      if (!settlement) co_return settlement.error();
      // Not stopped: what was taken and not acknowledged comes again.
      const auto settled = co_await run_blocking(thread_, [this, &next, &settlement] {
        return consumer_->settle(**next, *settlement, {clock_.steady() + kSettling, {}});
      });
      if (!settled) co_return settled.error();
    }
    co_return StepError{{"cancelled"}, "stopped", {}};
  }

  asio::awaitable<StepResult<Settlement>> offer(const Delivery& delivery) {
    if (!delivery.unusable.empty()) co_return co_await leave(delivery.unusable);
    for (auto wait = kFirstPause;; wait = std::min(2 * wait, kLongestWaitForRoom)) {
      const auto taken = co_await parts_.sink(delivery.event);
      if (taken) {
        if (std::exchange(has_no_room_, false)) co_await tell(Concern::waits, "");
        co_return Settlement::taken;
      }
      if (taken.error().error_class() == "invalid") co_return co_await leave(taken.error().message);
      has_no_room_ = true;
      co_await tell(Concern::waits, taken.error().message);
      co_await sleep_for(wait);
      if (co_await is_cancelled()) co_return step_fail("cancelled", "stopped");
      SP_CO_CHECK(co_await on_thread(kSettling, [this](const CallLimits& limits) { return consumer_->stay(limits); }));
    }
  }

  asio::awaitable<Settlement> leave(std::string why) {
    ++unusable_;
    if (unusable_ > 1 && clock_.steady() < next_tell_) co_return parts_.unusable;
    next_tell_ = clock_.steady() + kTellPause;
    co_await tell(Concern::passed_over,
                  fmt::format("{} of the messages could start no job and {}: {}", unusable_,
                              parts_.unusable == Settlement::held ? "stay with the broker" : "were given up", why));
    co_return parts_.unusable;
  }

  asio::awaitable<void> tell(Concern concern, std::string message) {
    if (message == told_) co_return;
    told_ = message;
    co_await parts_.trouble(concern, std::move(message));
  }

  Consuming parts_;
  const Clock& clock_;
  asio::thread_pool thread_{1};
  std::unique_ptr<Consumer> consumer_;
  std::chrono::milliseconds pause_ = kFirstPause;
  bool has_no_room_ = false;
  std::size_t unusable_ = 0;  // in this session
  SteadyTime next_tell_{};    // of those
  std::string told_;
};

}  // namespace

asio::awaitable<StepResult<void>> consume(Consuming parts, const Clock& clock) {
  Run run(std::move(parts), clock);
  co_return co_await run.run();
}

}  // namespace sallyport::connectors
