#include "agent/runner/local_triggers.h"

#include "shared/async/timeout.h"
#include "shared/recipe/catalogue.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::runner {
namespace {

constexpr std::string_view kSchedule = "schedule@1";
constexpr const char* kCursor = "trigger";
constexpr auto kRepairedAgain = std::chrono::seconds(60);

connectors::TriggerSource* source_of(const EngineCore& core, std::string_view uses) {
  const auto it = std::ranges::find_if(core.parts.triggers, [&](const auto* source) { return source->name() == uses; });
  return it == core.parts.triggers.end() ? nullptr : *it;
}

// A source's words quote what it looks at: names of files.
std::string tellable(const WatchedRecipe& watched, std::string message) {
  const bool may_be_told = watched.recipe->trigger.mask.nothing() && watched.recipe->keeps_payload();
  if (may_be_told || message.empty()) return message;
  return "its trigger has trouble; more is not told, because the recipe masks what starts it, or keeps none of it";
}

report::AgentEvent trouble_with(const WatchedRecipe& watched, const connectors::StepError& error) {
  const char* kind = error.error_class() == "policy" ? "policy.refused" : "trigger.failed";
  return {kind, error.rule, "recipe " + watched.recipe->name + ": " + tellable(watched, error.message)};
}

}  // namespace

LocalTriggers::LocalTriggers(EngineCore& core, StartLocalJob start) : core_(core), start_(std::move(start)) {}
LocalTriggers::~LocalTriggers() = default;

asio::awaitable<void> LocalTriggers::replace(std::vector<journal::Assignment> assignments) {
  std::vector<Watch> ending;
  for (auto it = watches_.begin(); it != watches_.end();) {
    const bool stays = std::ranges::find(assignments, it->second.assignment) != assignments.end();
    if (!stays) ending.push_back(std::move(it->second));
    it = stays ? std::next(it) : watches_.erase(it);
  }
  for (auto& watch : ending) co_await end(std::move(watch));
  for (auto& assignment : assignments) {
    if (!watches_.contains(assignment.recipe)) co_await begin(std::move(assignment));
  }
}

asio::awaitable<void> LocalTriggers::stop() { co_await replace({}); }

asio::awaitable<void> LocalTriggers::end(Watch watch) {
  if (!watch.tasks) co_return;
  watch.tasks->stop();
  co_await watch.tasks->join();
}

asio::awaitable<void> LocalTriggers::begin(journal::Assignment assignment) {
  auto recipe = core_.recipes.get(assignment.recipe_json, assignment.payload);
  if (!recipe) {
    co_await core_.tell({"trigger.failed", "", "recipe " + assignment.recipe.value + ": " + recipe.error().message});
    co_return;
  }
  const auto& trigger = (*recipe)->trigger;
  const auto* info = recipe::find_trigger(trigger.uses);
  auto* source = source_of(core_, trigger.uses);
  if (info == nullptr || (source == nullptr && trigger.uses != kSchedule)) co_return;  // not for an agent to watch
  auto arguments = recipe::bind_arguments(*info, trigger.with);
  if (!arguments) {
    co_await core_.tell({"trigger.failed", "", "recipe " + (*recipe)->name + ": " + arguments.error().front().message});
    co_return;
  }
  auto watched = std::make_shared<const WatchedRecipe>(
      WatchedRecipe{assignment.recipe, assignment.version, assignment.recipe_json, assignment.payload, *recipe});
  Watch watch{std::move(assignment), std::make_unique<TaskGroup>(core_.executor, log_fault(core_.parts.log))};
  if (source != nullptr) {
    watch.tasks->spawn("trigger", watch_source(watched, *source, *std::move(arguments)));
  } else {
    watch.tasks->spawn("schedule", keep_schedule(watched, *std::move(arguments)));
  }
  watches_.insert_or_assign(watched->id, std::move(watch));
}

asio::awaitable<void> LocalTriggers::tell_trouble(std::shared_ptr<const WatchedRecipe> watched,
                                                  connectors::TriggerSource::Concern concern, std::string message) {
  message = tellable(*watched, std::move(message));
  core_.parts.log.warn(message.empty() ? "trigger.recovered" : "trigger.waits",
                       {{"recipe", watched->recipe->name}, {"why", message}});
  if (message.empty() || concern != connectors::TriggerSource::Concern::passed_over) co_return;
  co_await core_.tell({"trigger.failed", "", "recipe " + watched->recipe->name + ": " + message});
}

// A source that began without its cursor would begin anew.
asio::awaitable<std::optional<std::string>> LocalTriggers::cursor_of(RecipeId recipe) {
  for (;;) {
    auto stored = co_await core_.parts.journal.cursor(recipe, kCursor);
    if (stored) co_return *std::move(stored);
    core_.parts.log.warn("trigger.waits", {{"recipe", recipe.value}, {"why", stored.error().message}});
    co_await sleep_for(kRepairedAgain);
  }
}

asio::awaitable<void> LocalTriggers::watch_source(std::shared_ptr<const WatchedRecipe> watched,
                                                  connectors::TriggerSource& source, Value arguments) {
  connectors::TriggerSpec spec{watched->recipe->name, watched->recipe->trigger.connection, arguments};
  const auto sink = [this, watched](connectors::TriggerEvent event) {
    journal::Batch besides;
    if (event.cursor) besides.push_back(journal::SetCursor{watched->id, kCursor, *event.cursor});
    return start_(watched, std::move(event), std::move(besides));
  };
  const auto trouble = [this, watched](connectors::TriggerSource::Concern concern, std::string message) {
    return tell_trouble(watched, concern, std::move(message));
  };
  std::string told;
  for (;;) {
    spec.cursor = co_await cursor_of(watched->id);
    const auto ended = co_await source.run(spec, sink, trouble);
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) co_return;
    if (!ended && ended.error().message != told) {
      told = ended.error().message;
      co_await core_.tell(trouble_with(*watched, ended.error()));
    }
    co_await sleep_for(kRepairedAgain);
  }
}

}  // namespace sallyport::runner
