#pragma once

#include "agent/journal/memory_spool.h"
#include "agent/runner/concurrency.h"
#include "agent/runner/connection_health.h"
#include "agent/runner/engine.h"
#include "agent/runner/place_line.h"
#include "agent/runner/recipe_cache.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"

#include <boost/asio/thread_pool.hpp>

// What the parts of the engine share; private to this folder.
namespace sallyport::runner {

namespace asio = boost::asio;
using execution::Now;
using platform::BootTime;

struct EngineCore {
  EngineCore(const asio::any_io_executor& on, EngineParts given, EngineOptions chosen);

  asio::any_io_executor executor;
  EngineParts parts;
  EngineOptions options;
  asio::thread_pool pool;  // one thread more than workers: tidying up waits for no step
  PlaceLine local_slots;   // whatever a local trigger started runs on one
  PlaceLine workers;       // whoever posts a step to the pool has a place
  TaskGroup tasks;
  RecipeCache recipes;
  journal::MemorySpool memory;  // bodies that must be on no disk
  Redactor own_redactor;
  Redactor& redactor;  // knows the secrets that running jobs use
  ConcurrencyGate gate;
  ConnectionHealth health;
  Event to_send;  // there may be something for the relay
  Event still;    // no step runs
  std::function<void(const JobId&)> wake_job;
  bool draining = false;
  bool suspended = false;  // see Engine::suspend
  std::size_t running_steps = 0;

  Now now() const { return {parts.clock.steady(), parts.clock.wall()}; }
  // The same moment on the clock that timers use.
  SteadyTime timer_at(SteadyTime at) const;
  SteadyTime timer_at(BootTime at) const;  // later, when the machine sleeps before
  asio::awaitable<Result<void>> commit(journal::Batch batch);
  journal::AddReport report_of(const JobId& job, const report::Body& body) const;
  // What a security officer wants to know although no step ran; kept in the outbox, or at least logged.
  asio::awaitable<void> tell(report::AgentEvent event);
  // This side's record of what the relay will hear.
  void log_event(const JobId& job, const report::AgentEvent& event) const;
  connectors::Action* find_action(std::string_view uses) const;
  void step_began() { ++running_steps, still.clear(); }
  void step_ended() {
    if (--running_steps == 0) still.set();
  }
};

// Logs what left a task that should not have; for TaskGroup.
TaskGroup::OnFault log_fault(const Log& log);

}  // namespace sallyport::runner
