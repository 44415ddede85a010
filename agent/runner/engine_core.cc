#include "agent/runner/engine_core.h"

#include "agent/runner/wire.h"

#include <algorithm>

namespace sallyport::runner {

TaskGroup::OnFault log_fault(const Log& log) {
  return [&log](const std::string& task, const std::string& why) {
    log.error("task.failed", {{"task", task}, {"why", why}});
  };
}

EngineCore::EngineCore(const asio::any_io_executor& on, EngineParts given, EngineOptions chosen)
    : executor(on),
      parts(std::move(given)),
      options(std::move(chosen)),
      pool(options.workers + 1),
      local_slots(options.slots, [this](const JobId& job) { wake_job(job); }),
      workers(options.workers, [this](const JobId& job) { wake_job(job); }),
      tasks(on, log_fault(parts.log)),
      redactor(parts.redactor != nullptr ? *parts.redactor : own_redactor),
      health(parts.connections),
      to_send(on),
      still(on) {
  still.set();
}

SteadyTime EngineCore::timer_at(SteadyTime at) const {
  if (at == SteadyTime::max()) return at;
  const SteadyTime now = parts.clock.steady();
  const auto left = at > now ? at - now : SteadyTime::duration::zero();
  return std::chrono::steady_clock::now() + left;
}

SteadyTime EngineCore::timer_at(BootTime at) const {
  const BootTime now = parts.boot_clock.now();
  const auto left = at > now ? at - now : BootTime::duration::zero();
  return std::chrono::steady_clock::now() + left;
}

asio::awaitable<Result<void>> EngineCore::commit(journal::Batch batch) {
  auto committed = co_await parts.journal.commit(std::move(batch));
  to_send.set();
  co_return committed;
}

journal::AddReport EngineCore::report_of(const JobId& job, const report::Body& body) const {
  return {job, wire::encode_body(report::redacted(body, redactor), parts.clock.wall())};
}

void EngineCore::log_event(const JobId& job, const report::AgentEvent& event) const {
  parts.log.warn("agent.event",
                 {{"kind", event.kind}, {"job", job.value}, {"rule", event.rule}, {"message", event.message}});
}

asio::awaitable<void> EngineCore::tell(report::AgentEvent event) {
  log_event(JobId(), event);
  journal::Batch batch;
  batch.emplace_back(report_of(JobId(), event));
  const auto kept = co_await commit(std::move(batch));
  if (!kept) parts.log.error("agent.event_lost", {{"kind", event.kind}, {"why", kept.error().message}});
}

connectors::Action* EngineCore::find_action(std::string_view uses) const {
  const auto it = std::ranges::find_if(parts.actions, [&](const auto* action) { return action->name() == uses; });
  return it == parts.actions.end() ? nullptr : *it;
}

}  // namespace sallyport::runner
