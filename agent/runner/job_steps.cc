#include "agent/runner/dry_run.h"
#include "agent/runner/job_task.h"
#include "shared/async/blocking.h"

#include <algorithm>
#include <iterator>

namespace sallyport::runner {

void JobTask::begin(const Action& action) {
  const auto* step = std::get_if<RunStep>(&action);
  if (step != nullptr && standing() == Standing::must_wait) {
    execution_->on_not_begun(step->run);
    changed_.set();
    return;
  }
  ++running_;
  core_.step_began();
  if (step != nullptr) {
    core_.tasks.spawn("step", run_step(shared_from_this(), *step, stop_.get_token()));
  } else {
    core_.tasks.spawn("pull", pull_item(shared_from_this(), std::get<PullItem>(action), stop_.get_token()));
  }
}

bool JobTask::take_worker() {
  const bool taken = core_.workers.take(id_);
  if (taken) ++workers_;
  worker_refused_ |= !taken;
  return taken;
}

void JobTask::give_back_unused() {
  for (; workers_ > running_; --workers_) core_.workers.give_back();
  if (!worker_refused_) core_.workers.leave(id_);
}

namespace {

using Outcome = std::optional<connectors::StepResult<connectors::Output>>;  // nullopt: not begun

struct Work {
  EngineCore& core;
  const JobId& job;
  connectors::Bodies& bodies;
  const RunStep& step;
  std::stop_token stop;
  BootTime lease_end;

  // On the pool. An action that throws has a fault of its own; its text may hold data, so it is not repeated.
  Outcome operator()() const {
    try {
      return run();
    } catch (const std::exception& fault) {
      core.parts.log.error("action.threw", {{"job", job.value}, {"uses", step.uses}, {"what", typeid(fault).name()}});
      return connectors::step_fail("internal", "the action " + step.uses + " failed in a way it should not");
    }
  }

  Outcome run() const {
    if (core.parts.boot_clock.now() >= lease_end || stop.stop_requested()) return std::nullopt;
    auto* action = core.find_action(step.uses);
    if (action == nullptr)
      return connectors::step_fail("not_found", "this agent does not know the action " + step.uses);
    const SteadyTime now = core.parts.clock.steady();
    const connectors::StepContext context{.job = job,
                                          .path = step.path,
                                          .attempt = step.run.attempt,
                                          .idempotency_key = step.idempotency_key,
                                          .connection = step.connection,
                                          .deadline = std::min(now + step.time_limit, step.latest),
                                          .stop = stop,
                                          .bodies = bodies,
                                          .repeated = step.repeated};
    if (step.mode == execution::Mode::dry_run) return run_dry(*action, context, step.arguments);
    return action->run(context, step.arguments);
  }
};

struct Pull {
  EngineCore& core;
  ItemReader& reader;
  const PullItem& pull;
  std::stop_token stop;

  connectors::StepResult<std::optional<Value>> operator()() const {
    try {
      return reader.item(pull.index, {core.parts.clock, pull.latest, stop});
    } catch (const std::exception& fault) {
      core.parts.log.error("reader.threw", {{"path", pull.path}, {"what", typeid(fault).name()}});
      return connectors::step_fail("internal", "reading the items failed in a way it should not");
    }
  }
};

}  // namespace

// Ends also when the coroutine does so by an exception: a job must never wait for a step that is not there.
struct JobTask::Running {
  JobTask& task;
  explicit Running(JobTask& of) : task(of) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    --task.running_, --task.workers_;
    task.core_.workers.give_back();
    task.core_.step_ended();
    task.changed_.set();
  }
};

asio::awaitable<void> JobTask::run_step(std::shared_ptr<JobTask> self, RunStep step, std::stop_token stop) {
  const Running running(*self);
  const BootTime lease_end = is_local() ? BootTime::max() : lease_end_;
  RunBodies bodies(bodies_, step.in_memory ? Kept::in_memory : Kept::on_disk);
  auto outcome = co_await run_blocking(core_.pool, Work{core_, id_, bodies, step, std::move(stop), lease_end});
  if (!bodies.made().empty()) std::ranges::copy(bodies.made(), std::back_inserter(made_[step.path]));
  if (outcome && !*outcome) {
    auto& message = outcome->error().message;
    if (auto redacted = core_.redactor.redact(message)) message = *std::move(redacted);
  }
  if (outcome) {
    if (core_.health.note(step.connection, *outcome, core_.parts.clock.wall())) core_.to_send.set();
    execution_->on_step_result(step.run, *std::move(outcome));
  } else {
    execution_->on_not_begun(step.run);
  }
}

asio::awaitable<void> JobTask::pull_item(std::shared_ptr<JobTask> self, PullItem pull, std::stop_token stop) {
  const Running running(*self);
  auto& reader = readers_[pull.path];
  if (!reader) reader = std::make_shared<ItemReader>(bodies_, pull.source);
  auto kept = reader;
  auto item = co_await run_blocking(core_.pool, Pull{core_, *kept, pull, std::move(stop)});
  if (!item || !*item) readers_.erase(pull.path);
  execution_->on_item(pull.path, pull.index, std::move(item));
}

std::vector<std::string> JobTask::take_made_by(const journal::StepRun& run) {
  std::vector<std::string> names;
  const std::string path = execution::path_text(run);
  for (auto it = made_.lower_bound(path); it != made_.end() && it->first.starts_with(path);) {
    const bool item = run.item == journal::kNoItem && it->first[path.size()] == '[';
    if (it->first != path && !item) {
      ++it;
      continue;
    }
    std::ranges::move(it->second, std::back_inserter(names));
    it = made_.erase(it);
  }
  return names;
}

// Before anything new begins, so that it finds the room.
asio::awaitable<void> JobTask::forget(std::vector<journal::StepRun> runs) {
  std::vector<std::string> names;
  for (const auto& run : runs) std::ranges::move(take_made_by(run), std::back_inserter(names));
  if (names.empty()) co_return;
  const auto removed = co_await run_blocking(core_.pool, [this, &names]() -> Result<void> {
    for (const auto& name : names) SP_CHECK(bodies_->remove(name));
    return {};
  });
  if (!removed) core_.parts.log.warn("spool.left_over", {{"job", id_.value}, {"why", removed.error().message}});
}

}  // namespace sallyport::runner
