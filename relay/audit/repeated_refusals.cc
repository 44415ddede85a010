#include "relay/audit/repeated_refusals.h"

namespace sallyport {
namespace {

constexpr std::size_t kMostRefused = 10'000;

}  // namespace

std::optional<std::int64_t> RepeatedRefusals::turn_of(std::string subject, std::string_view reason) {
  std::pair key(std::move(subject), reason);
  const auto now = clock_.steady();
  const auto known = refused_.find(key);
  if (known != refused_.end() && now < known->second.quiet_until) {
    ++known->second.unsaid;
    return std::nullopt;
  }
  if (known == refused_.end() && refused_.size() >= kMostRefused) {
    std::erase_if(refused_, [&](const auto& one) { return one.second.quiet_until <= now; });
    if (refused_.size() >= kMostRefused) refused_.clear();
  }
  auto& refused = refused_[std::move(key)];
  refused.quiet_until = now + kAuditEvery;
  return std::exchange(refused.unsaid, 0);
}

}  // namespace sallyport
