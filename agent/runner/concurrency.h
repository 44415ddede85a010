#pragma once

#include "shared/base/ids.h"
#include "shared/recipe/model.h"

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>

namespace sallyport::runner {

// Which jobs of a recipe may run beside each other. First come, first served within one key. No IO, no clock.
class ConcurrencyGate {
 public:
  using Key = std::pair<RecipeId, std::string>;
  enum class Entry { may_run, must_wait, skipped };

  // Enters `job`; asked again for one that waits, it tells whether its turn has come.
  Entry enter(const Key& key, const JobId& job, const recipe::Concurrency& rule);
  // The job ended or gave up waiting. Gives the job whose turn it is now, if another waits.
  std::optional<JobId> leave(const Key& key, const JobId& job);

 private:
  struct Line {
    std::int64_t limit = 1;
    std::list<JobId> jobs;  // the first `limit` run, the others wait
  };
  std::map<Key, Line> lines_;
};

}  // namespace sallyport::runner
