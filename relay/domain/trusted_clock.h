#pragma once

#include "shared/base/clock.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::domain {

using std::chrono::milliseconds;

// What time it is by the clocks of agents: more than half of the organisations say that it is `least` or later, and
// more than half that it is `most` or earlier. The two are the same, but for what their clocks differ, where no half
// lies.
struct AgentsTime {
  WallTime least;
  WallTime most;

  friend bool operator==(const AgentsTime&, const AgentsTime&) = default;
};

// What all clocks show at one moment.
struct ClockSample {
  WallTime wall;
  milliseconds since_boot;  // goes on while the machine sleeps, and is never set: CLOCK_BOOTTIME
  std::string boot;         // the kernel's id of this boot; "" when it is not known
  // The second opinion on the same moment, by clocks of other machines: those of the linked agents. Nothing: not to be
  // had now. The kernel's word that NTP keeps it synchronised is none: what a forged answer sets is that very clock.
  std::optional<AgentsTime> agents = {};
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
// when the agents' clocks agree that it is so late, and then the earlier of the two is believed. It goes back only
// where they agree that it is so early. No IO and no clock of its own.
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
  bool goes_back(WallTime told) const;

  ClockTerms terms_;
  std::optional<SavedClock> believed_;
  std::optional<Mark> reference_;  // what was confirmed last, or where this boot began
  bool sampled_ = false;           // since this process began, which is in one boot
  ClockStanding standing_ = ClockStanding::unknown;
};

}  // namespace sallyport::domain
