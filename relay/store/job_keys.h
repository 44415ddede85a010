#pragma once

#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::store {

// What of an organisation lives equally long: the retention class and its length. Each has a key of its own per hour.
struct RetentionLane {
  std::string kind;         // "payload", "logs", "transient"
  std::uint32_t hours = 0;  // after the end of the key's hour

  friend auto operator<=>(const RetentionLane&, const RetentionLane&) = default;
};

using Hour = std::int64_t;  // whole hours since 1970-01-01T00:00Z
constexpr Hour hour_of(WallTime at) { return std::chrono::floor<std::chrono::hours>(at).time_since_epoch().count(); }
constexpr WallTime start_of(Hour hour) { return WallTime(std::chrono::hours(hour)); }

// One job's key of one class, wrapped under the key of an hour: that of the job's making, and when the job ended later,
// at the latest when that hour's key has to go, that of its end.
struct JobKey {
  RetentionLane lane;
  Hour hour = 0;
  Bytes wrapped;
};

// Where a job's key stands in its lane; they are read in this order.
struct JobKeyPlace {
  Hour hour = std::numeric_limits<Hour>::min();
  JobId job = {};
};

// A job key whose hour has to go before the job's own time is over.
struct LateJobKey {
  JobKeyPlace at;
  Bytes wrapped;
  std::optional<WallTime> finished_at;  // none: the job has not ended
};

struct MovedJobKey {
  JobKeyPlace from;
  Hour to = 0;
  Bytes wrapped;
  std::optional<WallTime> ended_at = {};  // the job's end by a clock that is right, when it was written by one ahead
};

struct Purged {
  std::size_t jobs = 0;  // that are done with
  bool more = false;     // it came to its limit
};

// The keys of jobs. They come into being with the job (NewJob::keys).
class JobKeys {
 public:
  virtual ~JobKeys() = default;
  virtual awaitable<Result<std::vector<JobKey>>> find(OrgId org, JobId job) = 0;  // none: no such job, or expired
  // Keys of `lane` behind `after` and under an hour up to `last`, of jobs that have not ended or ended after `last`; at
  // most `limit`.
  virtual awaitable<Result<std::vector<LateJobKey>>> late(OrgId org, RetentionLane lane, Hour last, JobKeyPlace after,
                                                          std::size_t limit) = 0;
  // Each that is still as it was; in one transaction.
  virtual awaitable<Result<void>> move(OrgId org, RetentionLane lane, std::vector<MovedJobKey> moved) = 0;
  // Removes keys of `lane` under an hour up to `last` with what they sealed, by changing some `rows` in one
  // transaction.
  virtual awaitable<Result<Purged>> purge(OrgId org, RetentionLane lane, Hour last, std::size_t rows) = 0;
  // Of all organisations: jobs that ended before that time and lost their keys to purge() go with their steps and the
  // memory of their events; some `rows` in one transaction.
  virtual awaitable<Result<Purged>> remove_jobs(WallTime before, std::size_t rows) = 0;
  // Gives free pages back to the file system, a bounded number at a time; true: there are more. Empties the log soon.
  virtual awaitable<Result<bool>> reclaim() = 0;
};

}  // namespace sallyport::store
