#include "shared/async/fair_pool.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport {
namespace asio = boost::asio;

Result<void> FairPool::Turn::line_up() {
  auto line = std::ranges::find(pool_.lines_, owner_, &Line::owner);
  const bool known = line != pool_.lines_.end();
  if (known && line->waiting.size() >= pool_.limits_.waiting_per_owner) {
    return fail(Errc::exhausted, "too many of yours are waiting already; try again when they are done");
  }
  if (pool_.waiting_ >= pool_.limits_.waiting) {
    return fail(Errc::exhausted, "too many are waiting already, of all callers together; try again later");
  }
  if (!known) line = pool_.lines_.insert(pool_.lines_.end(), Line{owner_, {}, 0});
  line_ = line;
  at_ = line->waiting.insert(line->waiting.end(), this);
  ++pool_.waiting_;
  return {};
}

asio::awaitable<Result<void>> FairPool::Turn::come() {
  SP_CO_CHECK(line_up());
  pool_.call_next();
  co_await called_.wait_until(std::chrono::steady_clock::now() + pool_.limits_.patience);
  if (called_.is_set()) co_return Result<void>();
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return fail(Errc::cancelled, "cancelled");
  co_return fail(Errc::exhausted, "too many were waiting, its turn did not come in time; try again later");
}

FairPool::Turn::~Turn() {
  if (!line_) return;
  const auto line = *line_;
  if (called_.is_set()) {
    --line->running;
    --pool_.running_;
  } else {
    line->waiting.erase(at_);
    --pool_.waiting_;
  }
  if (line->waiting.empty() && line->running == 0) pool_.lines_.erase(line);
  pool_.call_next();
}

void FairPool::call_next() {
  const auto may_run = [this](const Line& line) {
    return !line.waiting.empty() && line.running < limits_.running_per_owner;
  };
  while (running_ < limits_.threads) {
    const auto line = std::ranges::find_if(lines_, may_run);
    if (line == lines_.end()) return;
    Turn& next = *line->waiting.front();
    line->waiting.pop_front();
    --waiting_;
    ++line->running;
    ++running_;
    lines_.splice(lines_.end(), lines_, line);
    next.called_.set();
  }
}

}  // namespace sallyport
