#include "agent/link/backoff.h"

#include <algorithm>

namespace sallyport::agent {
using std::chrono::milliseconds;
namespace {

milliseconds part_of(milliseconds whole, double fraction) {
  return milliseconds(static_cast<std::int64_t>(static_cast<double>(whole.count()) * fraction));
}

}  // namespace

milliseconds Backoff::next(Setback setback, std::optional<milliseconds> retry_after) {
  auto& failures = setback == Setback::away ? away_ : refused_;
  // Beyond 2^20 the cap decides anyway.
  const auto doubled = times_.base * (std::int64_t{1} << std::min(failures, 20u));
  ++failures;
  const auto cap = setback == Setback::away ? times_.away_cap : times_.cap;
  return retry_after.value_or(milliseconds(0)) + part_of(std::min<milliseconds>(cap, doubled), random_());
}

milliseconds Backoff::around(milliseconds period) {
  ++refused_;
  return period / 2 + part_of(period, random_());
}

void Backoff::link_was_ready_for(milliseconds length) {
  if (length < times_.healthy) return;
  away_ = 0;
  refused_ = 0;
}

}  // namespace sallyport::agent
