#include "agent/runner/sent_holdings.h"

namespace sallyport::runner {
namespace {
constexpr std::size_t kRemembered = 64;
}  // namespace

std::uint64_t SentHoldings::add(BootTime now) {
  if (sent_.size() == kRemembered) sent_.pop_front();
  sent_.push_back(now);
  return ++last_;
}

Result<BootTime> SentHoldings::lease_end(std::uint64_t number, std::chrono::milliseconds length) const {
  if (number > last_) return fail(Errc::invalid, "the relay answered a Holding that was never sent");
  const std::uint64_t back = last_ - number;
  if (back >= sent_.size()) return BootTime::min();
  return sent_[sent_.size() - 1 - back] + length;
}

}  // namespace sallyport::runner
