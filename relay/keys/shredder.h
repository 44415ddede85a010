#pragma once

#include "relay/keys/hierarchy.h"
#include "relay/keys/reserve.h"
#include "relay/store/job_keys.h"
#include "shared/base/log.h"
#include "shared/base/metrics.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

namespace sallyport::keys {

// Deletes what its time is over: first the keys, so that it is unreadable wherever it was copied to, then the rows, and
// gives the space back. An hour's key goes as soon as the hour's end and the lane's length are over; keys of jobs that
// ended later, or still run, move to a later hour's key before. One executor.
class Shredder {
 public:
  struct Parts {
    store::KeyStore& store;
    store::JobKeys& job_keys;
    Hierarchy& keys;
    const Clock& clock;
    const Log& log;
    Metrics& metrics;
    // What time it is at the earliest: a clock that jumped is not believed. Nothing: not known now.
    std::function<std::optional<WallTime>()> believed;
    // The lane's length as it is now, when it has been shortened since: hours. Empty: never shortened.
    std::function<boost::asio::awaitable<Result<std::uint32_t>>(OrgId, store::RetentionLane)> hours_now = {};
    Reserve* reserve = nullptr;  // for a disk that is full
  };
  struct Tally {
    std::size_t hours = 0;  // keys of so many hours are gone
    std::size_t jobs = 0;   // what so many jobs had
  };

  explicit Shredder(Parts parts);

  boost::asio::awaitable<void> run();  // a pass every kPause, and sweeps the keys in memory
  // Everything that is due at `now`: at once where nothing has to move before, then the rest. An organisation whose
  // keys cannot be had keeps the hours from the first on whose jobs' keys have to move. The error is the first there
  // was.
  boost::asio::awaitable<Result<Tally>> pass(WallTime now);

  static constexpr std::chrono::seconds kPause{20};

 private:
  // Of one transaction, so that others are not kept waiting.
  struct Pieces {
    std::size_t keys = 50;  // that move
    std::size_t rows = 1'000;
  };
  struct Due {
    Hierarchy::Shred shred;
    store::Hour oldest = 0;
    bool moves = false;  // keys of jobs that ended later, or still run, are among them
  };

  boost::asio::awaitable<void> pass_and_tell(WallTime now);
  boost::asio::awaitable<Result<void>> work_through(WallTime now, Tally& tally);
  boost::asio::awaitable<void> measure(WallTime now, bool is_whole);
  boost::asio::awaitable<Result<std::chrono::seconds>> lag(WallTime now);
  boost::asio::awaitable<Result<store::Hour>> length(OrgId org, store::RetentionLane lane);
  boost::asio::awaitable<Result<std::vector<Due>>> all_due(WallTime now, Result<void>& trouble);
  boost::asio::awaitable<Result<std::optional<Due>>> due(store::LaneState lane, WallTime now);
  boost::asio::awaitable<Result<void>> shred(std::vector<Hierarchy::Shred> shreds, Tally& tally);
  boost::asio::awaitable<Result<void>> shred_moved(std::vector<Due> lanes, WallTime now, Tally& tally);
  boost::asio::awaitable<Result<void>> move_late(Hierarchy::Shred from, WallTime now);
  boost::asio::awaitable<Result<store::MovedJobKey>> moved(store::LaneId lane, store::LateJobKey late, WallTime now);
  void tell_damaged(const store::LaneId& lane, const JobId& job, const Error& error) const;
  boost::asio::awaitable<Result<void>> remember_lanes();
  boost::asio::awaitable<Result<void>> purge(Tally& tally);
  boost::asio::awaitable<Result<std::size_t>> purge_lane(store::LaneId lane);
  boost::asio::awaitable<Result<void>> remove_jobs(WallTime now);

  Parts parts_;
  Gauge& lag_;
  Gauge& last_whole_pass_;
  Counter& keys_shredded_;
  Counter& failures_;
  Pieces pieces_;
  bool remembered_ = false;
  std::set<store::LaneId> unpurged_;  // rows of shredded hours may be there
  bool reclaims_ = true;              // there may be space to give back
  std::string told_;                  // why the last pass could not shred all
};

}  // namespace sallyport::keys
