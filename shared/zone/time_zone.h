#pragma once

#include "shared/base/result.h"
#include "shared/zone/zone_rule.h"

#include <string_view>
#include <vector>

namespace sallyport {

// One time zone: the transitions that its TZif file lists (RFC 9636), and behind the last one the rule of its footer.
// Immutable; may be used by several threads.
class TimeZone {
 public:
  static constexpr std::size_t kMaxFile = 1u << 20;

  static TimeZone utc() { return {}; }
  // Errc::invalid for what is no TZif file, is cut, contradicts itself or counts leap seconds.
  static Result<TimeZone> parse(std::string_view tzif);

  // `at` in the years 1 to 32000. Stretches follow each other without gaps; neighbours may have equal offsets.
  ZoneStretch stretch(std::chrono::sys_seconds at) const;

 private:
  struct Transition {
    std::chrono::sys_seconds when;
    std::chrono::seconds offset;  // from then on
  };

  std::chrono::seconds first_{};  // before the first transition
  std::vector<Transition> transitions_;
  std::optional<ZoneRule> rule_;
};

}  // namespace sallyport
