#include "relay/keys/shredder.h"

#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "relay/keys/layered_envelope.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <set>

namespace sallyport::keys {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kJobsAtOnce = 50;            // in one transaction, so that others are not kept waiting
constexpr std::chrono::hours kJobRecord{45 * 24};  // a job is known at least as long, and so is its event

bool is_of_jobs(const store::RetentionLane& lane) { return lane.kind != to_string(KeyClass::transient); }

}  // namespace

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
  const auto done = co_await pass(now);
  if (!done) {
    parts_.log.error("keys.not_shredded", {{"reason", done.error().message}});
  } else if (done->hours + done->jobs > 0) {
    parts_.log.info("keys.shredded", {{"hours", done->hours}, {"jobs", done->jobs}});
  }
}

asio::awaitable<Result<Shredder::Tally>> Shredder::pass(WallTime now) {
  SP_CO_TRY(auto lanes, co_await parts_.store.lanes());
  Result<void> trouble;
  std::vector<Hierarchy::Shred> shreds;
  for (auto& lane : lanes) {
    auto shred = co_await due(std::move(lane), now);
    if (!shred && trouble) trouble = std::unexpected(shred.error());
    if (shred && *shred) shreds.push_back(**std::move(shred));
  }
  Tally tally;
  if (!shreds.empty()) {
    tally.hours = shreds.size();
    SP_CO_CHECK(co_await parts_.keys.shred(std::move(shreds)));
  }
  SP_CO_TRY(tally.jobs, co_await purge_all(now));
  if (!trouble) co_return std::unexpected(std::move(trouble).error());
  co_return tally;
}

asio::awaitable<Result<std::optional<Hierarchy::Shred>>> Shredder::due(store::LaneState lane, WallTime now) {
  if (!lane.oldest) co_return std::nullopt;
  auto hours = lane.lane.hours;
  if (parts_.hours_now) {
    SP_CO_TRY(const auto shortened, co_await parts_.hours_now(lane.org, lane.lane));
    hours = std::min(hours, shortened);
  }
  const store::Hour last = store::hour_of(now) - 1 - static_cast<store::Hour>(hours);
  if (*lane.oldest > last) co_return std::nullopt;
  if (is_of_jobs(lane.lane)) SP_CO_CHECK(co_await move_late(lane.org, lane.lane, last, now));
  co_return Hierarchy::Shred{std::move(lane.org), std::move(lane.lane), last + 1};
}

asio::awaitable<Result<void>> Shredder::move_late(OrgId org, store::RetentionLane lane, store::Hour last,
                                                  WallTime now) {
  for (;;) {
    SP_CO_TRY(auto late, co_await parts_.job_keys.late(org, lane, last, kJobsAtOnce));
    if (late.empty()) co_return Result<void>();
    std::vector<store::MovedJobKey> moves;
    for (auto& key : late) {
      SP_CO_TRY(auto move, co_await moved(org, lane, std::move(key), now));
      moves.push_back(std::move(move));
    }
    SP_CO_CHECK(co_await parts_.job_keys.move(org, lane, std::move(moves)));
  }
}

asio::awaitable<Result<store::MovedJobKey>> Shredder::moved(OrgId org, store::RetentionLane lane,
                                                            store::LateJobKey late, WallTime now) {
  auto& memory = parts_.keys.memory();
  const auto purpose = job_key_name(org, late.job, lane);
  SP_CO_TRY(const auto from, co_await parts_.keys.hour(org, lane, late.hour));
  SP_CO_TRY(const auto to,
            co_await parts_.keys.hour_for_writing(org, lane, store::hour_of(late.finished_at.value_or(now))));
  SP_CO_TRY(const auto key, unwrap_key(memory, {from.key->bytes()}, purpose, late.wrapped));
  SP_CO_TRY(auto wrapped, wrap_key(memory, {to.key.key->bytes()}, purpose, key));
  co_return store::MovedJobKey{std::move(late.job), late.hour, to.hour, std::move(wrapped)};
}

// Also what an earlier pass left when it was cut short.
asio::awaitable<Result<std::size_t>> Shredder::purge_all(WallTime now) {
  SP_CO_TRY(const auto lanes, co_await parts_.store.lanes());
  std::size_t jobs = 0;
  std::set<OrgId> orgs;
  for (const auto& lane : lanes) {
    if (!is_of_jobs(lane.lane)) continue;
    orgs.insert(lane.org);
    SP_CO_TRY(const auto gone, co_await purge(lane.org, lane.lane, lane.position));
    jobs += gone;
  }
  std::size_t records = 0;
  for (const auto& org : orgs) {
    SP_CO_TRY(const auto gone, co_await parts_.job_keys.remove_jobs(org, now - kJobRecord, kJobsAtOnce));
    records += gone;
  }
  bool more = jobs + records > 0;
  while (more) {
    SP_CO_TRY(more, co_await parts_.job_keys.reclaim());
  }
  co_return jobs;
}

asio::awaitable<Result<std::size_t>> Shredder::purge(OrgId org, store::RetentionLane lane, store::Hour before) {
  std::size_t all = 0;
  for (;;) {
    SP_CO_TRY(const auto gone, co_await parts_.job_keys.purge(org, lane, before - 1, kJobsAtOnce));
    all += gone;
    if (gone < kJobsAtOnce) co_return all;
  }
}

}  // namespace sallyport::keys
