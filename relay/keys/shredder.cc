#include "relay/keys/shredder.h"

#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "relay/keys/layered_envelope.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::hours kJobRecord{45 * 24};  // a job is known at least as long, and so is its event

bool is_of_jobs(const store::RetentionLane& lane) { return lane.kind != to_string(KeyClass::transient); }

// The first of several.
void note(Result<void>& trouble, Result<void> outcome) {
  if (trouble && !outcome) trouble = std::move(outcome);
}

}  // namespace

Shredder::Shredder(Parts parts)
    : parts_(std::move(parts)),
      lag_(parts_.metrics.gauge("sallyport_shredder_lag_seconds",
                                "For how long the key that is most overdue should have been gone.")),
      last_whole_pass_(parts_.metrics.gauge("sallyport_shredder_last_whole_pass_seconds",
                                            "Unix time at which everything that was due was last gone.")),
      keys_shredded_(parts_.metrics.counter("sallyport_shredded_keys_total", "Keys of hours that were destroyed.")),
      failures_(parts_.metrics.counter("sallyport_shredder_failures_total", "Passes that left something behind.")) {}

asio::awaitable<void> Shredder::run() {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (;;) {
    parts_.keys.sweep();
    if (const auto now = parts_.believed()) co_await pass_and_tell(*now);
    pause.expires_after(kPause);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Shredder::pass_and_tell(WallTime now) {
  Tally tally;
  auto done = co_await work_through(now, tally);
  if (!done && parts_.reserve != nullptr && parts_.reserve->release()) {
    pieces_ = {.keys = 1, .rows = 1};  // small transactions need little room in the log
    done = co_await work_through(now, tally);
    pieces_ = {};
  }
  co_await measure(now, done.has_value());
  if (done && parts_.reserve != nullptr) parts_.reserve->refill();
  const auto trouble = done ? std::string() : done.error().message;
  const bool is_news = std::exchange(told_, trouble) != trouble;
  if (!done && is_news) parts_.log.error("keys.not_shredded", {{"reason", trouble}});
  if (tally.hours + tally.jobs > 0) {
    parts_.log.info("keys.shredded", {{"hours", tally.hours}, {"jobs", tally.jobs}});
  }
}

asio::awaitable<Result<Shredder::Tally>> Shredder::pass(WallTime now) {
  Tally tally;
  const auto done = co_await work_through(now, tally);
  co_await measure(now, done.has_value());
  if (!done) co_return std::unexpected(done.error());
  co_return tally;
}

asio::awaitable<void> Shredder::measure(WallTime now, bool is_whole) {
  if (is_whole) {
    lag_.set(0);
    last_whole_pass_.set(std::chrono::floor<std::chrono::seconds>(parts_.clock.wall()).time_since_epoch().count());
    co_return;
  }
  failures_.add();
  if (const auto behind = co_await lag(now)) lag_.set(behind->count());
}

asio::awaitable<Result<std::chrono::seconds>> Shredder::lag(WallTime now) {
  SP_CO_TRY(const auto lanes, co_await parts_.store.lanes());
  std::chrono::seconds most{0};
  for (const auto& lane : lanes) {
    if (!lane.oldest) continue;
    const auto hours = co_await length(lane.org, lane.lane);
    const WallTime due(std::chrono::hours(*lane.oldest + 1 + hours.value_or(lane.lane.hours)));
    most = std::max(most, std::chrono::floor<std::chrono::seconds>(now - due));
  }
  co_return most;
}

// In hours, as it is now.
asio::awaitable<Result<store::Hour>> Shredder::length(OrgId org, store::RetentionLane lane) {
  if (!parts_.hours_now) co_return lane.hours;
  SP_CO_TRY(const auto shortened, co_await parts_.hours_now(std::move(org), lane));
  co_return std::min(lane.hours, shortened);
}

// Whatever goes wrong in one part, the others have their turn.
asio::awaitable<Result<void>> Shredder::work_through(WallTime now, Tally& tally) {
  Result<void> trouble = parts_.keys.forget_old_anchor();
  SP_CO_CHECK(co_await remember_lanes());
  note(trouble, co_await purge(tally));
  SP_CO_TRY(auto lanes, co_await all_due(now, trouble));
  std::vector<Hierarchy::Shred> at_once;
  for (const auto& lane : lanes) {
    if (!lane.moves) at_once.push_back(lane.shred);
  }
  note(trouble, co_await shred(std::move(at_once), tally));
  note(trouble, co_await shred_moved(std::move(lanes), now, tally));
  note(trouble, co_await purge(tally));
  note(trouble, co_await remove_jobs(now));
  co_return trouble;
}

// What cannot move keeps its hour and those after it.
asio::awaitable<Result<void>> Shredder::shred_moved(std::vector<Due> lanes, WallTime now, Tally& tally) {
  Result<void> trouble;
  std::vector<Hierarchy::Shred> shreds;
  for (auto& lane : lanes) {
    if (!lane.moves) continue;
    auto moved = co_await move_late(lane.shred, now);
    if (!moved) {
      SP_CO_TRY(const auto stays,
                co_await parts_.job_keys.late(lane.shred.org, lane.shred.lane, lane.shred.before - 1, {}, 1));
      if (!stays.empty()) lane.shred.before = stays.front().at.hour;
    }
    if (lane.oldest < lane.shred.before) shreds.push_back(std::move(lane.shred));
    note(trouble, std::move(moved));
  }
  note(trouble, co_await shred(std::move(shreds), tally));
  co_return trouble;
}

asio::awaitable<Result<std::vector<Shredder::Due>>> Shredder::all_due(WallTime now, Result<void>& trouble) {
  SP_CO_TRY(auto lanes, co_await parts_.store.lanes());
  std::vector<Due> all;
  for (auto& lane : lanes) {
    auto one = co_await due(std::move(lane), now);
    if (!one) {
      note(trouble, std::unexpected(std::move(one).error()));
    } else if (*one) {
      all.push_back(**std::move(one));
    }
  }
  co_return all;
}

asio::awaitable<Result<std::optional<Shredder::Due>>> Shredder::due(store::LaneState lane, WallTime now) {
  if (!lane.oldest) co_return std::nullopt;
  SP_CO_TRY(const auto hours, co_await length(lane.org, lane.lane));
  const store::Hour last = store::hour_of(now) - 1 - hours;
  if (*lane.oldest > last) co_return std::nullopt;
  Due due{.shred = {lane.org, lane.lane, last + 1}, .oldest = *lane.oldest};
  if (is_of_jobs(lane.lane)) {
    SP_CO_TRY(const auto late, co_await parts_.job_keys.late(lane.org, lane.lane, last, {}, 1));
    due.moves = !late.empty();
  }
  co_return due;
}

asio::awaitable<Result<void>> Shredder::shred(std::vector<Hierarchy::Shred> shreds, Tally& tally) {
  if (shreds.empty()) co_return Result<void>();
  for (const auto& one : shreds) {
    if (is_of_jobs(one.lane)) unpurged_.insert({one.org, one.lane});
  }
  SP_CO_TRY(const auto hours, co_await parts_.keys.shred(std::move(shreds)));
  tally.hours += hours;
  keys_shredded_.add(hours);
  co_return Result<void>();
}

// A key that is damaged, or is under one that was given up, keeps nobody: what it sealed is unreadable already.
asio::awaitable<Result<void>> Shredder::move_late(Hierarchy::Shred from, WallTime now) {
  const store::LaneId lane{from.org, from.lane};
  store::JobKeyPlace behind;
  for (;;) {
    SP_CO_TRY(auto late, co_await parts_.job_keys.late(lane.org, lane.lane, from.before - 1, behind, pieces_.keys));
    if (late.empty()) co_return Result<void>();
    behind = late.back().at;
    std::vector<store::MovedJobKey> moves;
    for (auto& key : late) {
      const JobId job = key.at.job;
      auto move = co_await moved(lane, std::move(key), now);
      if (move) {
        moves.push_back(*std::move(move));
      } else if (move.error().code == Errc::invalid) {
        tell_damaged(lane, job, move.error());
      } else if (move.error().code != Errc::not_found) {
        co_return in_context("keys of " + lane.org.value, std::move(move).error());
      }
    }
    SP_CO_CHECK(co_await parts_.job_keys.move(lane.org, lane.lane, std::move(moves)));
  }
}

asio::awaitable<Result<store::MovedJobKey>> Shredder::moved(store::LaneId lane, store::LateJobKey late, WallTime now) {
  auto& memory = parts_.keys.memory();
  const auto purpose = job_key_name(lane.org, late.at.job, lane.lane);
  SP_CO_TRY(const auto from, co_await parts_.keys.hour(lane.org, lane.lane, late.at.hour));
  const auto end = std::min(late.finished_at.value_or(now), now);
  SP_CO_TRY(const auto to, co_await parts_.keys.hour_for_writing(lane.org, lane.lane, store::hour_of(end)));
  SP_CO_TRY(const auto key, unwrap_key(memory, {from.key->bytes()}, purpose, late.wrapped));
  SP_CO_TRY(auto wrapped, wrap_key(memory, {to.key.key->bytes()}, purpose, key));
  store::MovedJobKey moved{std::move(late.at), to.hour, std::move(wrapped)};
  if (late.finished_at && *late.finished_at > now) moved.ended_at = now;
  co_return moved;
}

void Shredder::tell_damaged(const store::LaneId& lane, const JobId& job, const Error& error) const {
  parts_.log.error("keys.job_key_damaged",
                   {{"org", lane.org.value}, {"job", job.value}, {"class", lane.lane.kind}, {"reason", error.message}});
}

// What an earlier process left when it was cut short.
asio::awaitable<Result<void>> Shredder::remember_lanes() {
  if (remembered_) co_return Result<void>();
  SP_CO_TRY(const auto lanes, co_await parts_.store.lanes());
  for (const auto& lane : lanes) {
    if (is_of_jobs(lane.lane)) unpurged_.insert({lane.org, lane.lane});
  }
  remembered_ = true;
  co_return Result<void>();
}

asio::awaitable<Result<void>> Shredder::purge(Tally& tally) {
  Result<void> trouble;
  for (auto lane = unpurged_.begin(); lane != unpurged_.end();) {
    const auto gone = co_await purge_lane(*lane);
    if (!gone) note(trouble, std::unexpected(gone.error()));
    tally.jobs += gone.value_or(0);
    reclaims_ = reclaims_ || gone.value_or(1) > 0;
    lane = gone ? unpurged_.erase(lane) : std::next(lane);
  }
  co_return trouble;
}

asio::awaitable<Result<std::size_t>> Shredder::purge_lane(store::LaneId lane) {
  SP_CO_TRY(const auto ratchet, co_await parts_.store.ratchet(lane.org, lane.lane));
  if (!ratchet) co_return std::size_t{0};
  std::size_t jobs = 0;
  for (;;) {
    SP_CO_TRY(const auto gone,
              co_await parts_.job_keys.purge(lane.org, lane.lane, ratchet->position - 1, pieces_.rows));
    jobs += gone.jobs;
    if (!gone.more) co_return jobs;
  }
}

asio::awaitable<Result<void>> Shredder::remove_jobs(WallTime now) {
  for (bool more = true; more;) {
    SP_CO_TRY(const auto gone, co_await parts_.job_keys.remove_jobs(now - kJobRecord, pieces_.rows));
    more = gone.more;
    reclaims_ = reclaims_ || gone.jobs > 0;
  }
  while (reclaims_) {
    SP_CO_TRY(reclaims_, co_await parts_.job_keys.reclaim());
  }
  co_return Result<void>();
}

}  // namespace sallyport::keys
