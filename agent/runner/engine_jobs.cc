#include "agent/runner/engine_impl.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/new_id.h"
#include "shared/execution/contexts.h"

#include <algorithm>
#include <utility>

namespace sallyport::runner {
namespace {

using connectors::step_fail;

constexpr auto kLongestPause = std::chrono::minutes(1);

// "file.watch@1" is told as "file.watch".
std::string kind_of(const std::string& uses) { return uses.substr(0, uses.find('@')); }

// Keys are kept and shown in clear: one made of data that is masked, or not to be kept, is told as a digest.
std::string told_key(const WatchedRecipe& watched, const std::string& key) {
  const auto& trigger = watched.recipe->trigger;
  if (watched.recipe->keeps_payload() && (trigger.dedupe || trigger.mask.nothing())) return key;
  return "sha256:" + hex(crypto::sha256(watched.id.value + "\n" + key));
}

Value with_kind(const Value& data, const std::string& kind) {
  ValueMap map = data.is(Value::Kind::map) ? data.as_map() : ValueMap{};
  map.try_emplace("kind", kind);
  return Value(std::move(map));
}

}  // namespace

// Takes out of the record what is not to be kept.
std::shared_ptr<JobMemory> memory_of(const recipe::Recipe& recipe, journal::Job& job) {
  if (recipe.keeps_payload()) return std::make_shared<JobMemory>();
  return std::make_shared<JobMemory>(std::exchange(job.trigger_json, std::string()));
}

std::shared_ptr<JobTask> Engine::Impl::add(const JobId& job, std::uint64_t epoch, std::shared_ptr<JobMemory> memory) {
  auto task = std::make_shared<JobTask>(core, job, epoch, std::move(memory));
  jobs.insert_or_assign(job, task);
  core.tasks.spawn("job", run_job(task));
  return task;
}

std::shared_ptr<JobTask> Engine::Impl::find(const JobId& job) const {
  const auto it = jobs.find(job);
  return it == jobs.end() ? nullptr : it->second;
}

// A job whose task ends without having settled it is taken up from the journal again: until then its lease is renewed,
// and nobody else can run it.
asio::awaitable<void> Engine::Impl::run_job(std::shared_ptr<JobTask> task) {
  struct Forget {
    Impl& engine;
    JobId job;
    ~Forget() {
      engine.jobs.erase(job);
      engine.core.to_send.set();  // a slot is free
    }
  };
  const Forget forget{*this, task->id()};
  for (auto pause = core.options.disk_retry;; pause = std::min<std::chrono::milliseconds>(2 * pause, kLongestPause)) {
    co_await attempt(task);
    co_await task->quiesce();
    if (task->settled() || core.draining) co_return task->leave_lines();
    core.parts.log.warn("job.taken_up_again", {{"job", task->id().value}, {"in_ms", pause.count()}});
    co_await task->rest(pause);
    auto next = std::make_shared<JobTask>(core, task->id(), task->epoch(), task->memory());
    next->inherit(*task);
    jobs.insert_or_assign(task->id(), next);
    task = std::move(next);
  }
}

asio::awaitable<void> Engine::Impl::attempt(std::shared_ptr<JobTask> task) {
  try {
    co_await task->run();
  } catch (const std::exception& fault) {
    core.parts.log.error("job.fault", {{"job", task->id().value}, {"why", fault.what()}});
  }
}

// ---------------------------------------------------------------- local triggers

// Without its key nobody can tell whether the event had its job already: then it starts none.
Result<std::string> Engine::Impl::event_key(const WatchedRecipe& watched, const journal::Job& job,
                                            const connectors::TriggerEvent& event, const Value& trigger) const {
  const auto& dedupe = watched.recipe->trigger.dedupe;
  if (!dedupe) return event.natural_key;
  const auto value = dedupe->evaluate(execution::event_names(*watched.recipe, job, trigger));
  if (!value) return fail(Errc::invalid, expr::to_string(value.error()));
  if (value->is_null()) return fail(Errc::invalid, "it gives nothing");
  return value->is(Value::Kind::string) ? value->as_string() : to_json(*value);
}

// It is not recorded: when the recipe has been mended, the trigger that still sees it (a file that is still there)
// offers it again.
asio::awaitable<void> Engine::Impl::pass_over(std::shared_ptr<const WatchedRecipe> watched, std::string why,
                                              journal::Batch besides) {
  if (!watched->recipe->keeps_payload()) why = "more is not told, because the recipe keeps nothing";
  auto& told = passed_over[watched->id];
  if (std::exchange(told, why) != why) {
    co_await core.tell(
        {"trigger.failed", "",
         "recipe " + watched->recipe->name + ": an event starts no job, because its `dedupe` fails: " + why});
  }
  if (!besides.empty()) (void)co_await core.commit(std::move(besides));
}

asio::awaitable<connectors::StepResult<void>> Engine::Impl::start_local(std::shared_ptr<const WatchedRecipe> watched,
                                                                        connectors::TriggerEvent event,
                                                                        journal::Batch besides) {
  if (core.draining) co_return step_fail("cancelled", "the agent is stopping");
  if (core.suspended) co_return step_fail("cancelled", "the relay has refused this agent: it starts no job");
  if (local_jobs() >= core.options.max_local_jobs) {
    co_return step_fail("disk_full", "too many jobs of local triggers are unfinished: they come first");
  }
  const std::string kind = kind_of(watched->recipe->trigger.uses);
  const Value trigger = with_kind(event.data, kind);
  journal::Job job{.id = crypto::new_id<JobId>(core.parts.clock),
                   .recipe = watched->id,
                   .recipe_version = watched->version,
                   .trigger_kind = kind,
                   .accepted_at = core.parts.clock.wall(),
                   .payload = watched->payload,
                   .recipe_json = watched->json,
                   .trigger_json = stored_json(trigger)};
  const auto key = event_key(*watched, job, event, trigger);
  if (!key && (event.cursor || event.comes_once)) {  // taken, it would not come again
    co_await pass_over(watched, key.error().message, {});
    co_return step_fail("invalid", "an event starts no job, because the recipe's `dedupe` fails");
  }
  if (!key) {
    co_await pass_over(watched, key.error().message, std::move(besides));
    co_return connectors::StepResult<void>();
  }
  passed_over.erase(watched->id);
  const auto told = told_key(*watched, *key);
  auto memory = memory_of(*watched->recipe, job);
  job.event_key_json = to_json(Value(told));
  const report::JobStarted started{job.recipe, job.recipe_version, job.trigger_json, told, kind};
  journal::Batch batch = besides;
  batch.emplace_back(journal::RecordEvent{watched->id, *key, job.accepted_at});
  batch.emplace_back(journal::AcceptJob{job, {}});
  batch.emplace_back(core.report_of(job.id, started));
  const auto committed = co_await core.commit(std::move(batch));
  if (committed) {
    core.parts.log.info("job.started", {{"job", job.id.value}, {"recipe", watched->recipe->name}, {"trigger", kind}});
    add(job.id, 0, std::move(memory));
    only_known.erase(watched->id);
    co_return connectors::StepResult<void>();
  }
  if (committed.error().code != Errc::conflict) co_return step_fail("disk_full", committed.error().message);
  note_known(*watched);
  if (!besides.empty()) (void)co_await core.commit(std::move(besides));
  co_return connectors::StepResult<void>();
}

// After a restart a folder of many old files is offered anew: the first of a row is told, the others are details.
void Engine::Impl::note_known(const WatchedRecipe& watched) {
  if (!only_known.insert(watched.id).second) {
    core.parts.log.debug("event.known", {{"recipe", watched.recipe->name}});
    return;
  }
  core.parts.log.info("event.known", {{"recipe", watched.recipe->name},
                                      {"trigger", kind_of(watched.recipe->trigger.uses)},
                                      {"message", "this event has started a job before: it starts no other"}});
}

// ---------------------------------------------------------------- figures

void Engine::Impl::wake_all() {
  for (const auto& [id, task] : jobs) task->wake();
}

void Engine::Impl::withdraw_leases() {
  unwanted = true;
  for (const auto& [id, task] : jobs) task->renew(task->epoch(), BootTime::min());
}

std::size_t Engine::Impl::local_jobs() const {
  return static_cast<std::size_t>(std::ranges::count_if(jobs, [](const auto& job) { return job.second->is_local(); }));
}

std::size_t Engine::Impl::relay_jobs() const { return jobs.size() - local_jobs() + accepting.size(); }

std::uint32_t Engine::Impl::free_slots() const {
  if (core.draining || core.parts.journal.outbox_full() || pump.holds_too_many()) return 0;
  const std::size_t used = relay_jobs();
  return used >= core.options.slots ? 0 : core.options.slots - static_cast<std::uint32_t>(used);
}

std::vector<journal::HeldJob> Engine::Impl::held_in_memory() const {
  std::vector<journal::HeldJob> held;
  held.reserve(accepting.size() + jobs.size());
  for (const auto& [id, epoch] : accepting) held.push_back({id, epoch});
  for (const auto& [id, task] : jobs) {
    if (!task->is_local()) held.push_back({id, task->epoch()});
  }
  return held;
}

}  // namespace sallyport::runner
