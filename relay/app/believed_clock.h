#pragma once

#include "relay/domain/trusted_clock.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"
#include "shared/base/result.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>

namespace sallyport::app {

// The clock by which expired data is destroyed (decision 0032), with this machine's clocks under it and a file over
// restarts: "sallyport-clock-1 <believed, ms> <since boot, ms> <boot>\n". Blocks for the file now and then.
class BelievedClock {
 public:
  struct Parts {
    const Log& log;
    Metrics& metrics;
    std::function<std::optional<domain::AgentsTime>()> agents;  // nothing: not known now
  };
  // A file that is not there, or not one of these: nothing is believed until a second opinion is heard.
  BelievedClock(std::filesystem::path file, Parts parts);

  // To be asked every few seconds.
  std::optional<WallTime> now();
  // What the last now() would be by now; costs next to nothing.
  std::optional<WallTime> since_last() const;

  // An operator's word that the wall clock is right: at `init`, and by `sallyport-relay keys confirm-clock`.
  static Result<void> confirm(const std::filesystem::path& file);

 private:
  void tell();
  void measure(const domain::ClockSample& sample);
  void save();

  std::filesystem::path file_;
  Parts parts_;
  Gauge& agrees_;
  Gauge& late_;
  Gauge& heard_;
  Gauge& agents_ahead_;
  domain::TrustedClock clock_;
  std::optional<domain::ClockStanding> told_;
  std::optional<domain::SavedClock> saved_;
  std::optional<WallTime> last_;
  std::chrono::steady_clock::time_point last_at_;
};

std::optional<domain::SavedClock> parse_saved_clock(std::string_view text);
std::string format_saved_clock(const domain::SavedClock& clock);

}  // namespace sallyport::app
