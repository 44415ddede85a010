#pragma once

#include "agent/runner/engine_core.h"
#include "shared/recipe/cron.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::runner {

// A recipe whose local trigger this agent watches.
struct WatchedRecipe {
  RecipeId id;
  std::uint32_t version = 0;
  std::string json;
  journal::Payload payload = journal::Payload::of_recipe;
  std::shared_ptr<const recipe::Recipe> recipe;
};

// Makes a job of an event, or finds that there was one already; either way the event is done with when it returns
// without an error. `besides` is committed in the same transaction.
using StartLocalJob = std::function<asio::awaitable<connectors::StepResult<void>>(
    std::shared_ptr<const WatchedRecipe> recipe, connectors::TriggerEvent event, journal::Batch besides)>;

// Times of a schedule that came and start no job.
struct SkippedTimes {
  std::int64_t count = 0;  // counted up to kCountedTimes
  WallTime first;
  WallTime last;
};
inline constexpr std::int64_t kCountedTimes = 1'000;

// Which time a schedule has to run for now, if any, and from where to look on. Without a clock or IO. `last` is the
// last time it ran for (or was skipped to). Of several times that have come only the latest may run, and with
// CatchUp::skip only when it is at most five minutes old: a machine that stood still for a moment misses nothing. One
// `last` that lies well ahead of `now` was set by a clock that was wrong: the
// schedule begins anew at `now`, and what it ran for already is known by its event keys.
struct ScheduleStep {
  std::optional<WallTime> fire;
  WallTime last;                 // the cursor afterwards
  std::optional<WallTime> next;  // nothing to do before
  bool clock_went_back = false;  // `last` was given up
  std::optional<SkippedTimes> skipped = {};
};
enum class CatchUp { skip, once };
ScheduleStep next_schedule_step(const recipe::Cron& cron, CatchUp catch_up, WallTime last, WallTime now);

// Runs the local triggers of the assigned recipes, each in a task of its own, also while no link is up. Lives on the
// engine's executor.
class LocalTriggers {
 public:
  LocalTriggers(EngineCore& core, StartLocalJob start);
  ~LocalTriggers();

  // From now on exactly these; unchanged ones go on undisturbed. One call at a time.
  asio::awaitable<void> replace(std::vector<journal::Assignment> assignments);
  asio::awaitable<void> stop();
  std::size_t size() const { return watches_.size(); }

 private:
  struct Watch {
    journal::Assignment assignment;
    std::unique_ptr<TaskGroup> tasks;
  };
  asio::awaitable<void> end(Watch watch);
  asio::awaitable<void> begin(journal::Assignment assignment);
  asio::awaitable<void> tell_trouble(std::shared_ptr<const WatchedRecipe> watched,
                                     connectors::TriggerSource::Concern concern, std::string message);
  asio::awaitable<std::optional<std::string>> cursor_of(RecipeId recipe);
  asio::awaitable<void> watch_source(std::shared_ptr<const WatchedRecipe> watched, connectors::TriggerSource& source,
                                     Value arguments);
  asio::awaitable<void> keep_schedule(std::shared_ptr<const WatchedRecipe> watched, Value arguments);
  asio::awaitable<std::optional<WallTime>> last_fire(std::shared_ptr<const WatchedRecipe> watched, std::string rule);
  asio::awaitable<void> set_back(std::shared_ptr<const WatchedRecipe> watched, std::string rule, WallTime from,
                                 WallTime now);
  asio::awaitable<void> fire(std::shared_ptr<const WatchedRecipe> watched, WallTime due, journal::Batch besides);
  journal::Batch moved_on(const WatchedRecipe& watched, const std::string& rule, const ScheduleStep& step) const;

  EngineCore& core_;
  StartLocalJob start_;
  std::map<RecipeId, Watch> watches_;
};

}  // namespace sallyport::runner
