#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::domain {

using std::chrono::milliseconds;

// What all clocks show at one moment.
struct ClockSample {
  WallTime wall;
  milliseconds since_boot;  // goes on while the machine sleeps, and is never set: CLOCK_BOOTTIME
  std::string boot;         // the kernel's id of this boot; "" when it is not known
  // Second opinions on the same moment; nothing: not to be had now.
  std::optional<WallTime> kernel = {};  // of the kernel, while it says that NTP keeps it synchronised
  std::optional<WallTime> agents = {};  // the median of the linked agents' clocks
};

// What the caller keeps over restarts of the process.
struct SavedClock {
  WallTime believed;
  milliseconds since_boot;
  std::string boot;

  friend bool operator==(const SavedClock&, const SavedClock&) = default;
};

enum class ClockStanding {
  unknown,  // no second opinion yet: nothing can be judged
  agreed,   // the wall clock goes as time does
  ahead,    // it shows a later time, and nobody confirms it
  behind,   // it shows an earlier one
};
std::string_view to_string(ClockStanding standing);

struct ClockTerms {
  milliseconds step{2'000};        // what the wall clock may be off that nobody confirms,
  std::int64_t drift_ppm = 500;    // and so much more with time (the kernel's own bound of slewing)
  milliseconds agreement{30'000};  // between clocks that confirm each other
};

// How late it is at least: what expired before that may be destroyed (docs/decisions/0032). What is believed runs as
// the clock since boot does, less its drift, and is never moved forward by the wall clock alone; the wall clock counts
// when every second opinion there is agrees with it, and then the earliest of them is believed. It goes back only where
// they agree that it was ahead. No IO and no clock of its own.
class TrustedClock {
 public:
  explicit TrustedClock(std::optional<SavedClock> saved, ClockTerms terms = {});

  // The time that is believed now; nothing until a second opinion was heard once. To be asked every few seconds, and
  // before anything is destroyed.
  std::optional<WallTime> judge(const ClockSample& sample);
  // An operator's word: the wall clock is right.
  void confirm(const ClockSample& sample);

  ClockStanding standing() const { return standing_; }
  std::optional<SavedClock> to_save() const;  // as of the last sample

 private:
  struct Mark {
    WallTime wall;
    milliseconds since_boot;
  };

  void go_on_from(const ClockSample& sample);
  void believe(const ClockSample& sample, WallTime told);
  void believe_steady(const ClockSample& sample, WallTime least, Mark from);
  std::optional<WallTime> confirmed(const ClockSample& sample) const;

  ClockTerms terms_;
  std::optional<SavedClock> believed_;
  std::optional<Mark> reference_;  // what was confirmed last, or where this boot began
  bool sampled_ = false;           // since this process began, which is in one boot
  ClockStanding standing_ = ClockStanding::unknown;
};

}  // namespace sallyport::domain
