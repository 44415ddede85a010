#pragma once

#include "shared/base/result.h"
#include "shared/execution/outcome.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::execution {

// What the journal says about one (path, item), reduced to where to go on.
struct Past {
  std::uint32_t attempt = 1;                // the next, or the one in doubt
  bool doubtful = false;                    // its intent is there, its end is not
  bool ledger = true;                       // and its runs kept a ledger
  bool doubted = false;                     // that was so of an attempt before this one
  std::optional<WallTime> wake_at;          // not before: a retry, or a durable wait
  std::chrono::milliseconds wake_after{0};  // how long that wait was meant to be at most
};

// The records of one job, to be looked up by step while the execution walks over the recipe again.
class Replay {
 public:
  explicit Replay(const StoredJob& stored);

  // The end of a step run, if it has one.
  Result<std::optional<Outcome>> final_of(const std::string& path, std::int64_t item) const;
  // Of a run that has ended: as if it is to be done again.
  Past past_of(const std::string& path, std::int64_t item) const;
  bool began(const std::string& path, std::int64_t item) const;
  bool began_below(const std::string& prefix) const;
  std::vector<std::int64_t> open_items(const std::string& path) const;  // begun and not ended
  std::optional<Progress> progress_of(const std::string& path) const;

 private:
  using Key = std::pair<std::string, std::int64_t>;
  std::map<Key, Intent> intents_;  // of the latest attempt
  std::map<Key, Done> done_;
  std::map<std::string, Progress, std::less<>> progress_;
};

}  // namespace sallyport::execution
