#include "agent/runner/engine.h"

#include "agent/runner/engine_impl.h"

namespace sallyport::runner {

Engine::Impl::Impl(const asio::any_io_executor& executor, EngineParts parts, EngineOptions options)
    : core(executor, std::move(parts), std::move(options)),
      pump(core, {[this] { return held_in_memory(); }, [this] { return free_slots(); },
                  [this] { return assignments_revision; }}),
      triggers(
          core,
          [this](std::shared_ptr<const WatchedRecipe> watched, connectors::TriggerEvent event, journal::Batch besides) {
            return start_local(std::move(watched), std::move(event), std::move(besides));
          }),
      accept_ended(executor) {
  core.wake_job = [this](const JobId& job) {
    if (const auto task = find(job)) task->wake();
  };
}

Engine::Engine(const asio::any_io_executor& executor, EngineParts parts, EngineOptions options)
    : impl_(std::make_unique<Impl>(executor, std::move(parts), std::move(options))) {}
Engine::~Engine() = default;

asio::awaitable<Result<void>> Engine::Impl::start() {
  SP_CO_TRY(const auto unfinished, co_await core.parts.journal.unfinished());
  for (const JobId& job : unfinished) {
    SP_CO_TRY(const auto found, co_await core.parts.journal.find(job));
    if (found) add(job, found->epoch, std::make_shared<JobMemory>());
  }
  if (!unfinished.empty()) core.parts.log.info("jobs.resumed", {{"count", unfinished.size()}});
  SP_CO_TRY(auto assigned, co_await core.parts.journal.assignments());
  assignments_revision = assigned.revision;
  core.suspended = assigned.suspended;
  if (core.suspended) {
    core.parts.log.warn("engine.suspended", {{"why", "the relay refused this agent before"}, {"jobs", jobs.size()}});
  } else {
    co_await triggers.replace(std::move(assigned.recipes));
  }
  co_return Result<void>();
}

asio::awaitable<Result<void>> Engine::start() { return impl_->start(); }

asio::awaitable<void> Engine::serve(Uplink& uplink) {
  impl_->incoming = {};
  impl_->unwanted = false;
  return impl_->pump.serve(uplink);
}

asio::awaitable<Result<void>> Engine::on_message(Bytes message) {
  SP_CO_TRY(auto whole, impl_->incoming.take(message));
  if (!whole) co_return Result<void>();
  co_return co_await std::visit([this](auto& one) { return impl_->take(std::move(one)); }, *whole);
}

void Engine::withdraw_leases() { impl_->withdraw_leases(); }

asio::awaitable<Result<void>> Engine::prove_alive() {
  SP_CO_TRY(const auto found, co_await impl_->core.parts.journal.find(JobId()));
  (void)found;
  co_return Result<void>();
}

// Triggers first, so that nothing new comes; then what runs may end by itself until the deadline, and is interrupted
// after it.
asio::awaitable<void> Engine::Impl::drain(SteadyTime deadline) {
  core.draining = true;
  core.to_send.set();
  core.parts.log.info("engine.drains", {{"jobs", jobs.size()}, {"running_steps", core.running_steps}});
  wake_all();
  if (core.running_steps > 0) co_await core.still.wait_until(core.timer_at(deadline));
  for (const auto& [id, task] : jobs) task->interrupt();
  while (core.running_steps > 0) co_await core.still.wait();
  wake_all();
  while (settling || !accepting.empty()) {
    accept_ended.clear();
    co_await accept_ended.wait();
  }
  at_rest = true;
  co_await triggers.stop();
  co_await core.tasks.join();
  drained = true;
  core.parts.log.info("engine.drained");
}

void Engine::suspend(std::string reason) { impl_->suspend(std::move(reason)); }
void Engine::resume() { impl_->resume(); }

asio::awaitable<void> Engine::drain(SteadyTime deadline) { return impl_->drain(deadline); }
asio::awaitable<void> Engine::stop() { return impl_->drain(SteadyTime::min()); }

Engine::Status Engine::Impl::status() const {
  return {relay_jobs(),
          local_jobs(),
          core.running_steps,
          triggers.size(),
          core.suspended,
          drained,
          core.parts.journal.outbox_size()};
}

Engine::Status Engine::status() const { return impl_->status(); }

std::vector<ConnectionUse> Engine::connection_uses() const { return impl_->core.health.all(); }

}  // namespace sallyport::runner
