#pragma once

#include "shared/base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::tunnels {

// Connections of one tunnel that were refused for one reason, so that each is accounted for and a scanner does not fill
// the database: within a minute the first one of each of eight addresses has an access record of its own, all others
// are told together when the minute is over. No IO and no clock.
class Refusals {
 public:
  static constexpr std::chrono::seconds kMinute{60};
  static constexpr std::size_t kSources = 8;

  struct Rest {
    std::string source;  // of the last one
    std::uint64_t count = 0;
  };

  // True: this one is to be recorded by itself. Call due() before.
  bool is_told(const std::string& source, SteadyTime now);
  // The rest of a minute that is over; forgets it.
  std::optional<Rest> due(SteadyTime now);
  std::optional<Rest> take();  // as if it were over
  bool pending() const { return rest_.count > 0; }

 private:
  std::optional<SteadyTime> since_;  // the first refusal of this minute
  std::vector<std::string> told_;
  Rest rest_;
};

}  // namespace sallyport::tunnels
