#pragma once

#include "agent/platform/beneath.h"
#include "shared/base/clock.h"

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace sallyport::connectors {

// Tells which files of a directory are complete: those whose size, time and identity stayed the same for `settle`.
// Fed with whole looks at the directory and the time; no IO, no clock. Every state of a file is offered until it is
// confirmed, and not again after that; a file that changes or is replaced under its name is a new one.
class SettleWatch {
 public:
  explicit SettleWatch(std::chrono::milliseconds settle) : settle_(settle) {}

  // `files` is everything there is now (names are paths below the root). Gives what has settled, is not confirmed and
  // not put off, oldest first.
  std::vector<platform::DirectoryEntry> look(const std::vector<platform::DirectoryEntry>& files, SteadyTime now);

  // The event for this state of the file is durable.
  void confirm(const platform::DirectoryEntry& file);

  // This state of the file could not be offered: not again before a while, 1 s at first and 1 min in the end.
  void put_off(const platform::DirectoryEntry& file, SteadyTime now);

  // When the next file may be offered; SteadyTime::max() when none is settling or put off.
  SteadyTime next_settling() const;

 private:
  struct Seen {
    platform::FileFacts facts;
    SteadyTime ready;  // when it may be offered
    std::chrono::seconds next_delay = std::chrono::seconds(1);
    bool confirmed = false;
    bool present = true;
  };
  std::chrono::milliseconds settle_;
  std::map<std::string, Seen> seen_;
};

}  // namespace sallyport::connectors
