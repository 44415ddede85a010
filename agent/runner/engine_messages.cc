#include "agent/runner/engine_impl.h"
#include "shared/base/json.h"
#include "shared/execution/outcome.h"

namespace sallyport::runner {
namespace {

wire::Answer yes(const wire::Dispatch& dispatch) { return {dispatch.lease.job, dispatch.lease.epoch, true, "", ""}; }
wire::Answer no(const wire::Dispatch& dispatch, std::string error_class, std::string message) {
  return {dispatch.lease.job, dispatch.lease.epoch, false, std::move(error_class), std::move(message)};
}

report::JobStarted started_by(const wire::Dispatch& dispatch, const std::string& kind) {
  return {dispatch.recipe, dispatch.recipe_version, "", dispatch.event_key, kind};
}

// What earlier holders completed, as far as it can be used; the time of it is not known, and counts as now.
std::vector<journal::Done> done_of(const wire::Dispatch& dispatch, WallTime now) {
  std::vector<journal::Done> done;
  for (const auto& step : dispatch.done) {
    auto run = execution::parse_path(step.path, step.attempt);
    if (!run) continue;
    auto status = journal::StepStatus::failed;
    if (step.status == "succeeded") status = journal::StepStatus::succeeded;
    if (step.status == "skipped") status = journal::StepStatus::skipped;
    done.push_back(
        {*std::move(run), status, now, std::nullopt, execution::outcome_from_relay(step.output_json, step.plan)});
  }
  return done;
}

}  // namespace

// Dispatches are accepted side by side, so that they share a transaction; whatever concerns one job stays in order.
asio::awaitable<Result<void>> Engine::Impl::take(wire::Dispatch dispatch) {
  SP_CO_TRY(const BootTime lease_end, pump.lease_end(dispatch.holding, dispatch.lease.length));
  co_await pump.wait_for_room();
  co_await accepted(dispatch.lease.job);
  pump.dispatched();
  if (core.draining) {
    pump.answer(wire::encode(no(dispatch, "busy", "the agent is stopping")));
    co_return Result<void>();
  }
  accepting.emplace(dispatch.lease.job, dispatch.lease.epoch);
  if (core.parts.boot_clock.now() >= lease_end) pump.hold_now();  // it begins when the relay says that it still stands
  core.tasks.spawn("accept", accept(std::move(dispatch), lease_end));
  co_return Result<void>();
}

asio::awaitable<void> Engine::Impl::accepted(JobId job) {
  while (accepting.contains(job)) {
    accept_ended.clear();
    co_await accept_ended.wait();
  }
}

asio::awaitable<void> Engine::Impl::accept(wire::Dispatch dispatch, BootTime lease_end) {
  const JobId job = dispatch.lease.job;
  struct Accepting {
    Impl& engine;
    const JobId& job;
    ~Accepting() {
      engine.accepting.erase(job);
      engine.accept_ended.set();
    }
  };
  const Accepting until_answered{*this, job};  // also when it throws: what is named as held keeps its lease
  const auto answer = co_await judge(dispatch);
  if (answer.accepted) {
    if (const auto task = find(job); task && !unwanted) task->renew(dispatch.lease.epoch, lease_end);
  } else {
    core.parts.log.warn("dispatch.refused",
                        {{"job", job.value}, {"class", answer.error_class}, {"why", answer.message}});
  }
  pump.answer(wire::encode(answer));
}

asio::awaitable<wire::Answer> Engine::Impl::judge(const wire::Dispatch& dispatch) {
  if (!dispatch.problem.empty()) co_return no(dispatch, "invalid", dispatch.problem);
  if (const auto task = find(dispatch.lease.job)) co_return co_await judge_held(dispatch, task);
  co_return co_await judge_new(dispatch);
}

asio::awaitable<wire::Answer> Engine::Impl::judge_held(const wire::Dispatch& dispatch, std::shared_ptr<JobTask> task) {
  if (task->is_local()) co_return no(dispatch, "invalid", "this job was started here, by a local trigger");
  if (dispatch.lease.epoch < task->epoch()) co_return no(dispatch, "busy", "the job is held under a later epoch");
  if (task->is_fenced()) co_return no(dispatch, "busy", "the job was fenced here, and a step of it is still ending");
  if (dispatch.lease.epoch == task->epoch()) co_return yes(dispatch);
  journal::Batch started;
  started.emplace_back(core.report_of(dispatch.lease.job, started_by(dispatch, "")));
  const auto raised = co_await raise(dispatch, std::move(started));
  if (!raised) co_return no(dispatch, "busy", raised.error().message);
  task->raise(dispatch.lease.epoch);
  co_return yes(dispatch);
}

asio::awaitable<wire::Answer> Engine::Impl::judge_new(const wire::Dispatch& dispatch) {
  if (relay_jobs() > 2 * static_cast<std::size_t>(core.options.slots))
    co_return no(dispatch, "busy", "no slot is free");
  const auto recipe = core.recipes.get(dispatch.recipe_json, dispatch.payload);
  if (!recipe) co_return no(dispatch, "invalid", recipe.error().message);
  if (!parse_stored_json(dispatch.trigger_json)) co_return no(dispatch, "invalid", "the trigger's data is not JSON");
  const auto found = co_await core.parts.journal.find(dispatch.lease.job);
  if (!found) co_return no(dispatch, "busy", found.error().message);
  const auto& earlier = *found;
  if (earlier && earlier->epoch >= dispatch.lease.epoch) {
    const bool same_end = earlier->epoch == dispatch.lease.epoch && earlier->state == journal::JobState::finished;
    co_return same_end ? yes(dispatch) : no(dispatch, "busy", "the job was given up under this or a later epoch");
  }
  if (earlier && earlier->state == journal::JobState::finished && earlier->unreported) {
    const auto raised = co_await raise(dispatch, {});
    co_return raised ? yes(dispatch) : no(dispatch, "busy", raised.error().message);
  }
  auto stored = co_await store_new(dispatch, **recipe);
  if (!stored) co_return no(dispatch, "busy", stored.error().message);
  core.parts.log.info(
      "job.accepted",
      {{"job", dispatch.lease.job.value}, {"recipe", (*recipe)->name}, {"epoch", dispatch.lease.epoch}});
  add(dispatch.lease.job, dispatch.lease.epoch, *std::move(stored));
  co_return yes(dispatch);
}

asio::awaitable<Result<std::shared_ptr<JobMemory>>> Engine::Impl::store_new(const wire::Dispatch& dispatch,
                                                                            const recipe::Recipe& recipe) {
  const WallTime now = core.parts.clock.wall();
  const std::string kind = recipe.trigger.uses.substr(0, recipe.trigger.uses.find('@'));
  journal::Job job{.id = dispatch.lease.job,
                   .epoch = dispatch.lease.epoch,
                   .recipe = dispatch.recipe,
                   .recipe_version = dispatch.recipe_version,
                   .run_number = std::max(dispatch.run_number, 1u),
                   .held_before = dispatch.held_before,
                   .accepted_at = now,
                   .payload = dispatch.payload,
                   .mode = dispatch.mode,
                   .recipe_json = dispatch.recipe_json,
                   .trigger_json = dispatch.trigger_json,
                   .event_key_json = to_json(Value(dispatch.event_key))};
  auto memory = memory_of(recipe, job);
  journal::Batch batch;
  batch.emplace_back(journal::AcceptJob{job, done_of(dispatch, now)});
  batch.emplace_back(core.report_of(job.id, started_by(dispatch, kind)));
  SP_CO_CHECK(co_await core.commit(std::move(batch)));
  co_return memory;
}

asio::awaitable<Result<void>> Engine::Impl::raise(const wire::Dispatch& dispatch, journal::Batch batch) {
  batch.emplace_back(journal::RaiseEpoch{dispatch.lease.job, dispatch.lease.epoch,
                                         done_of(dispatch, core.parts.clock.wall()), dispatch.held_before});
  co_return co_await core.commit(std::move(batch));
}

asio::awaitable<Result<void>> Engine::Impl::take(wire::CancelJob cancel) {
  co_await accepted(cancel.job);
  const auto task = find(cancel.job);
  if (!task || cancel.epoch < task->epoch()) co_return Result<void>();
  core.parts.log.info("job.cancel", {{"job", cancel.job.value}, {"reason", cancel.reason}});
  task->cancel(cancel.reason);
  journal::Batch batch;
  batch.emplace_back(journal::RequestCancel{cancel.job, cancel.reason});
  (void)co_await core.commit(std::move(batch));  // the job may have ended meanwhile; the relay repeats what got lost
  co_return Result<void>();
}

asio::awaitable<Result<void>> Engine::Impl::take(wire::Leases leases) {
  for (const auto& lease : leases.renewed) {
    SP_CO_TRY(const BootTime lease_end, pump.lease_end(leases.holding, lease.length));
    co_await accepted(lease.job);
    if (const auto task = find(lease.job)) task->renew(lease.epoch, lease_end);
  }
  for (auto& lease : leases.fenced) {
    co_await accepted(lease.job);
    const auto task = find(lease.job);
    if (task && task->epoch() > lease.epoch) continue;  // given to us again
    if (task) task->fence();
    if (!task) co_await drop(std::move(lease));
  }
  co_return Result<void>();
}

// A job that ended here and is not ours to report any more.
asio::awaitable<void> Engine::Impl::drop(wire::Lease fenced) {
  const auto found = co_await core.parts.journal.find(fenced.job);
  if (!found || !*found || (*found)->epoch > fenced.epoch || (*found)->state == journal::JobState::abandoned) co_return;
  journal::Batch batch;
  batch.emplace_back(journal::AbandonJob{fenced.job, core.parts.clock.wall()});
  (void)co_await core.commit(std::move(batch));
}

asio::awaitable<Result<void>> Engine::Impl::take(wire::ReportsAcked acked) {
  SP_CO_CHECK(pump.confirmed(acked.seq));
  const bool was_full = core.parts.journal.outbox_full();
  journal::Batch batch;
  batch.emplace_back(journal::AcknowledgeReports{acked.seq});
  const auto committed = co_await core.commit(std::move(batch));
  if (!committed) core.parts.log.warn("outbox.unwritable", {{"why", committed.error().message}});
  if (was_full && !core.parts.journal.outbox_full()) wake_all();
  co_return Result<void>();
}

asio::awaitable<Result<void>> Engine::Impl::take(wire::Assignments assignments) {
  to_assign = std::move(assignments);
  settle();
  co_return Result<void>();
}

}  // namespace sallyport::runner
