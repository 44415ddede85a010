#include "agent/runner/local_triggers.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::runner {
namespace {

constexpr const char* kCursor = "schedule";
constexpr auto kLate = std::chrono::minutes(5);
constexpr auto kSteppedBack = std::chrono::minutes(1);  // less is a clock that is being put right
constexpr auto kLook = std::chrono::seconds(30);        // the wall clock may jump while we sleep
constexpr auto kAgain = std::chrono::seconds(5);

using namespace std::chrono_literals;

// The last time due at or before `now`, `first` being due already. Looks back in growing steps, so that a year of
// minutes is not counted one by one.
WallTime last_due(const recipe::Cron& cron, WallTime first, WallTime now) {
  for (const auto back : std::array<std::chrono::milliseconds, 4>{1h, 24h, 24h * 32, 24h * 367}) {
    std::optional<WallTime> found;
    for (auto due = cron.next(std::max(first - 1ms, now - back)); due && *due <= now; due = cron.next(*due))
      found = due;
    if (found) return *found;
  }
  return first;
}

// Those from `first` to before `end`.
std::optional<SkippedTimes> skipped_before(const recipe::Cron& cron, WallTime first, WallTime end) {
  SkippedTimes skipped;
  for (std::optional<WallTime> due = first; due && *due < end && skipped.count < kCountedTimes; due = cron.next(*due))
    ++skipped.count;
  if (skipped.count == 0) return std::nullopt;
  skipped.first = first;
  skipped.last = last_due(cron, first, end - 1ms);
  return skipped;
}

std::string words_for(const SkippedTimes& skipped) {
  const std::string times = skipped.count >= kCountedTimes ? fmt::format("{} times or more", skipped.count)
                            : skipped.count == 1           ? "one time"
                                                           : fmt::format("{} times", skipped.count);
  return fmt::format("{} of its schedule passed without a job ({} to {}): the agent was down or stood still", times,
                     rfc3339(skipped.first), rfc3339(skipped.last));
}

journal::Change cursor_at(const WatchedRecipe& watched, const std::string& rule, WallTime at) {
  return journal::SetCursor{watched.id, kCursor, to_json(Value(ValueMap{{"at", Value(unix_ms(at))}, {"rule", rule}}))};
}

}  // namespace

ScheduleStep next_schedule_step(const recipe::Cron& cron, CatchUp catch_up, WallTime last, WallTime now) {
  if (last - now > kSteppedBack) return {std::nullopt, now, cron.next(now), true};
  const auto due = cron.next(last);
  if (!due) return {std::nullopt, last, std::nullopt};
  if (*due > now) return {std::nullopt, last, due};
  const WallTime latest = last_due(cron, *due, now);
  const bool runs = catch_up == CatchUp::once || now - latest <= kLate;
  if (runs) return {latest, latest, now, false, skipped_before(cron, *due, latest)};
  return {std::nullopt, now, now, false, skipped_before(cron, *due, now)};
}

// A schedule that was assigned just now, or says something else than before, has missed nothing.
asio::awaitable<std::optional<WallTime>> LocalTriggers::last_fire(std::shared_ptr<const WatchedRecipe> watched,
                                                                  std::string rule) {
  const auto stored = co_await core_.parts.journal.cursor(watched->id, kCursor);
  if (!stored) co_return std::nullopt;
  const auto value = *stored ? parse_json(**stored) : fail(Errc::not_found, "no cursor");
  if (!value) co_return core_.parts.clock.wall();
  const Value* at = value->find("at");
  const Value* of = value->find("rule");
  const bool ours = at != nullptr && at->is(Value::Kind::int64) && of != nullptr && *of == Value(rule);
  co_return ours ? from_unix_ms(at->as_int()) : core_.parts.clock.wall();
}

asio::awaitable<void> LocalTriggers::keep_schedule(std::shared_ptr<const WatchedRecipe> watched, Value arguments) {
  const auto text = [&](std::string_view name) { return arguments.find(name)->as_string(); };
  const auto cron = recipe::Cron::parse(text("cron"), text("timezone"));
  if (!cron)
    co_return co_await core_.tell(
        {"trigger.failed", "", "recipe " + watched->recipe->name + ": " + cron.error().message});
  const CatchUp catch_up = text("catch_up") == "once" ? CatchUp::once : CatchUp::skip;
  const std::string rule = text("cron") + " " + text("timezone");
  auto last = co_await last_fire(watched, rule);
  while (!last) {
    co_await sleep_for(kAgain);
    last = co_await last_fire(watched, rule);
  }
  journal::Batch begun;
  begun.push_back(cursor_at(*watched, rule, *last));
  (void)co_await core_.commit(std::move(begun));
  for (;;) {
    const WallTime now = core_.parts.clock.wall();
    const ScheduleStep step = next_schedule_step(*cron, catch_up, *last, now);
    if (step.clock_went_back) co_await set_back(watched, rule, *last, now);
    auto kept = moved_on(*watched, rule, step);
    if (step.fire) {
      co_await fire(watched, *step.fire, std::move(kept));
    } else if (step.skipped) {
      (void)co_await core_.commit(std::move(kept));  // otherwise it is found again after a restart
    }
    last = step.last;
    const auto wait = step.next ? *step.next - now : std::chrono::milliseconds(kLook);
    if (wait > std::chrono::milliseconds(0)) co_await sleep_for(std::min<std::chrono::milliseconds>(wait, kLook));
  }
}

asio::awaitable<void> LocalTriggers::set_back(std::shared_ptr<const WatchedRecipe> watched, std::string rule,
                                              WallTime from, WallTime now) {
  co_await core_.tell({"schedule.clock_went_back", "",
                       "recipe " + watched->recipe->name + ": it had run for times up to " + rfc3339(from) +
                           ", and the clock says " + rfc3339(now) + " now: it goes on from here"});
  journal::Batch cursor;
  cursor.push_back(cursor_at(*watched, rule, now));
  (void)co_await core_.commit(std::move(cursor));  // otherwise it is found again after a restart
}

// The cursor, and in the same transaction what the relay has to hear of times without a job: once, also over a restart.
journal::Batch LocalTriggers::moved_on(const WatchedRecipe& watched, const std::string& rule,
                                       const ScheduleStep& step) const {
  journal::Batch batch;
  batch.push_back(cursor_at(watched, rule, step.last));
  if (!step.skipped) return batch;
  const auto& name = watched.recipe->name;
  core_.parts.log.warn("schedule.skipped", {{"recipe", name},
                                            {"count", step.skipped->count},
                                            {"first", rfc3339(step.skipped->first)},
                                            {"last", rfc3339(step.skipped->last)}});
  const report::AgentEvent event{"schedule.skipped", "", "recipe " + name + ": " + words_for(*step.skipped)};
  batch.emplace_back(core_.report_of(JobId(), event));
  return batch;
}

// Until it is in the journal: a time that is due is never dropped because the disk was full.
asio::awaitable<void> LocalTriggers::fire(std::shared_ptr<const WatchedRecipe> watched, WallTime due,
                                          journal::Batch besides) {
  const std::string at = rfc3339(due);
  for (;;) {
    connectors::TriggerEvent event{Value(ValueMap{{"scheduled_at", at}}), "schedule " + at};
    const auto started = co_await start_(watched, std::move(event), besides);
    if (started) co_return;
    core_.parts.log.warn("trigger.waits", {{"recipe", watched->recipe->name}, {"why", started.error().message}});
    co_await sleep_for(kAgain);
  }
}

}  // namespace sallyport::runner
