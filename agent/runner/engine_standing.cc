#include "agent/runner/engine_impl.h"
#include "shared/async/timeout.h"

namespace sallyport::runner {

void Engine::Impl::suspend(std::string reason) {
  if (core.suspended || at_rest) return;
  core.suspended = true;
  suspended_why = std::move(reason);
  suspension_kept = false;
  core.parts.log.warn("engine.suspended",
                      {{"why", suspended_why}, {"jobs", jobs.size()}, {"running_steps", core.running_steps}});
  settle();
}

void Engine::Impl::resume() {
  if (!core.suspended || at_rest) return;
  core.suspended = false;
  suspension_kept = false;
  core.parts.log.info("engine.resumed", {{"jobs", jobs.size()}});
  wake_all();
  settle();
}

void Engine::Impl::settle() {
  if (settling || at_rest) return;
  settling = true;
  core.tasks.spawn("triggers", settle_triggers());
}

// In a task of its own: a trigger that hangs in its file system must not make the agent deaf.
asio::awaitable<void> Engine::Impl::settle_triggers() {
  for (;;) {
    if (!suspension_kept) {
      co_await keep_suspension();
    } else if (to_assign && !core.draining) {
      wire::Assignments now = *std::move(to_assign);
      to_assign.reset();
      co_await take_assignments(std::move(now));
    } else {
      break;
    }
  }
  settling = false;
  accept_ended.set();
}

asio::awaitable<void> Engine::Impl::take_assignments(wire::Assignments now) {
  journal::Batch batch;
  batch.emplace_back(journal::ReplaceAssignments{now.revision, now.recipes, core.parts.clock.wall()});
  const auto committed = co_await core.commit(std::move(batch));
  if (!committed) {
    core.parts.log.error("assignments.unwritable", {{"why", committed.error().message}});
    co_return;
  }
  assignments_revision = now.revision;
  core.parts.log.info("assignments.taken", {{"revision", now.revision}, {"recipes", now.recipes.size()}});
  if (!core.suspended) co_await triggers.replace(std::move(now.recipes));
  pump.hold_now();
}

// A suspension that the disk refuses holds while the process lives, and is tried again until then.
asio::awaitable<void> Engine::Impl::keep_suspension() {
  const bool wanted = core.suspended;
  const auto done = wanted ? co_await stand_still() : co_await go_on();
  if (!done) core.parts.log.error("journal.unwritable", {{"what", "suspension"}, {"why", done.error().message}});
  suspension_kept = (done || core.draining) && wanted == core.suspended;
  if (!done && !suspension_kept && !core.draining) co_await sleep_for(core.options.disk_retry);
}

asio::awaitable<Result<void>> Engine::Impl::stand_still() {
  const report::AgentEvent event{"agent.suspended", "", suspended_why};
  journal::Batch batch;
  batch.emplace_back(journal::SetSuspended{true});
  batch.emplace_back(core.report_of(JobId(), event));
  SP_CO_CHECK(co_await core.commit(std::move(batch)));
  core.log_event(JobId(), event);
  co_await triggers.stop();
  co_return Result<void>();
}

asio::awaitable<Result<void>> Engine::Impl::go_on() {
  journal::Batch batch;
  batch.emplace_back(journal::SetSuspended{false});
  SP_CO_CHECK(co_await core.commit(std::move(batch)));
  SP_CO_TRY(auto assigned, co_await core.parts.journal.assignments());
  if (!core.draining) co_await triggers.replace(std::move(assigned.recipes));
  co_return Result<void>();
}

}  // namespace sallyport::runner
