#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

inline constexpr std::chrono::minutes kAuditEvery{10};

// Keeps what is refused again and again from filling the ledger: of one subject (a certificate, a webhook) and one
// reason the first refusal is written, and then one every kAuditEvery, which says how many were not. Bounded;
// single-threaded. `clock` outlives it.
class RepeatedRefusals {
 public:
  explicit RepeatedRefusals(const Clock& clock) : clock_(clock) {}

  // `reason` is a constant. Nothing: stay quiet; else how many were not written since the last that was.
  std::optional<std::int64_t> turn_of(std::string subject, std::string_view reason);

 private:
  struct Refused {
    SteadyTime quiet_until;
    std::int64_t unsaid = 0;
  };

  const Clock& clock_;
  std::map<std::pair<std::string, std::string_view>, Refused> refused_;
};

}  // namespace sallyport
