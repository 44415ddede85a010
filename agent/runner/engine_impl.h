#pragma once

#include "agent/runner/engine_core.h"
#include "agent/runner/job_task.h"
#include "agent/runner/local_triggers.h"
#include "agent/runner/report_pump.h"
#include "agent/runner/wire.h"

#include <map>
#include <set>

namespace sallyport::runner {

struct Engine::Impl {
  Impl(const asio::any_io_executor& executor, EngineParts parts, EngineOptions options);

  asio::awaitable<Result<void>> start();
  asio::awaitable<void> drain(SteadyTime deadline);
  Status status() const;

  // --- engine_messages.cc: what the relay says
  asio::awaitable<Result<void>> take(wire::Dispatch dispatch);
  asio::awaitable<Result<void>> take(wire::CancelJob cancel);
  asio::awaitable<Result<void>> take(wire::Leases leases);
  asio::awaitable<Result<void>> take(wire::ReportsAcked acked);
  asio::awaitable<Result<void>> take(wire::Assignments assignments);
  asio::awaitable<void> accept(wire::Dispatch dispatch, BootTime lease_end);
  asio::awaitable<wire::Answer> judge(const wire::Dispatch& dispatch);
  asio::awaitable<wire::Answer> judge_held(const wire::Dispatch& dispatch, std::shared_ptr<JobTask> task);
  asio::awaitable<wire::Answer> judge_new(const wire::Dispatch& dispatch);
  asio::awaitable<Result<std::shared_ptr<JobMemory>>> store_new(const wire::Dispatch& dispatch,
                                                                const recipe::Recipe& recipe);
  asio::awaitable<Result<void>> raise(const wire::Dispatch& dispatch, journal::Batch batch);
  asio::awaitable<void> drop(wire::Lease fenced);
  asio::awaitable<void> accepted(JobId job);

  // --- engine_standing.cc: which triggers are watched
  void suspend(std::string reason);
  void resume();
  void settle();
  asio::awaitable<void> settle_triggers();
  asio::awaitable<void> take_assignments(wire::Assignments now);
  asio::awaitable<void> keep_suspension();
  asio::awaitable<Result<void>> stand_still();
  asio::awaitable<Result<void>> go_on();

  // --- engine_jobs.cc: the jobs there are
  std::shared_ptr<JobTask> add(const JobId& job, std::uint64_t epoch, std::shared_ptr<JobMemory> memory);
  std::shared_ptr<JobTask> find(const JobId& job) const;
  asio::awaitable<void> run_job(std::shared_ptr<JobTask> task);
  asio::awaitable<void> attempt(std::shared_ptr<JobTask> task);
  asio::awaitable<connectors::StepResult<void>> start_local(std::shared_ptr<const WatchedRecipe> watched,
                                                            connectors::TriggerEvent event, journal::Batch besides);
  void note_known(const WatchedRecipe& watched);
  Result<std::string> event_key(const WatchedRecipe& watched, const journal::Job& job,
                                const connectors::TriggerEvent& event, const Value& trigger) const;
  asio::awaitable<void> pass_over(std::shared_ptr<const WatchedRecipe> watched, std::string why,
                                  journal::Batch besides);
  void wake_all();
  void withdraw_leases();
  std::size_t relay_jobs() const;
  std::size_t local_jobs() const;
  std::uint32_t free_slots() const;
  std::vector<journal::HeldJob> held_in_memory() const;

  EngineCore core;
  ReportPump pump;
  LocalTriggers triggers;
  std::map<JobId, std::shared_ptr<JobTask>> jobs;
  std::map<JobId, std::uint64_t> accepting;     // being written to the journal, with their epochs
  std::map<RecipeId, std::string> passed_over;  // why the last event of a recipe could start no job; told once
  Event accept_ended;
  wire::Assembler incoming;
  std::optional<wire::Assignments> to_assign;
  std::set<RecipeId> only_known;  // their newest event started no job
  bool unwanted = false;          // by the relay, since the last link ended
  bool settling = false;
  bool at_rest = false;         // no step runs any more, and none is to begin
  bool drained = false;         // and all that was under way has ended
  bool suspension_kept = true;  // what core.suspended says is in the journal, and done
  std::string suspended_why;
  std::uint64_t assignments_revision = 0;
};

}  // namespace sallyport::runner
