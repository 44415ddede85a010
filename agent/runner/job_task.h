#pragma once

#include "agent/runner/engine_core.h"
#include "agent/runner/job_bodies.h"
#include "shared/execution/execution.h"

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace sallyport::runner {

using execution::Action;
using execution::Execution;
using execution::ExecutionPorts;
using execution::JobMemory;
using execution::JobStatus;
using execution::PullItem;
using execution::RunStep;
using execution::Standing;
using execution::Turn;

// One job of this agent while the process lives: turns the decisions of its Execution into journal batches, steps on
// the pool and waiting. It is in the journal already when it is made. Lives on the engine's executor.
class JobTask : public std::enable_shared_from_this<JobTask> {
 public:
  // `memory`: also what a task before this one kept there.
  JobTask(EngineCore& core, JobId id, std::uint64_t epoch, std::shared_ptr<JobMemory> memory);

  // From the journal to the job's end, to its being abandoned, or to a point where the engine drains. It may also end
  // before, without settled(), or by an exception: then a new task takes the job up from the journal again.
  asio::awaitable<void> run();
  // Interrupts what still runs of it, and returns when nothing does.
  asio::awaitable<void> quiesce();
  // What the relay and others said to the task before this one. For before run().
  void inherit(const JobTask& earlier);
  // Until something is said to it, or the time is over.
  asio::awaitable<void> rest(std::chrono::milliseconds length);

  void cancel(std::string reason);
  void renew(std::uint64_t epoch, BootTime until);
  void fence() { fenced_ = true, changed_.set(); }
  // The journal holds it under this epoch now, perhaps with more completed steps. Its lease comes with renew().
  void raise(std::uint64_t epoch);
  void wake() { changed_.set(); }
  void interrupt();
  void leave_lines();  // it ends, or is not to run here: others may

  const JobId& id() const { return id_; }
  std::uint64_t epoch() const { return epoch_; }
  const std::shared_ptr<JobMemory>& memory() const { return memory_; }
  bool is_local() const { return epoch_ == 0; }
  bool is_fenced() const { return fenced_; }
  bool settled() const { return over_ || gone_; }

 private:
  asio::awaitable<Result<void>> load();
  asio::awaitable<bool> load_patiently();
  asio::awaitable<void> end_without_payload();
  bool effect_in_doubt() const;
  void prepare();
  asio::awaitable<bool> wait_for_turn();
  asio::awaitable<bool> queue(recipe::Concurrency rule);
  asio::awaitable<bool> wait_for_slot();
  Result<std::string> concurrency_key(const recipe::Concurrency& rule) const;
  asio::awaitable<void> work();
  asio::awaitable<bool> keep(const Turn& turn);
  asio::awaitable<bool> write(journal::Batch batch);
  void stamp(journal::Batch& batch) const;
  asio::awaitable<void> end_at_once(JobStatus status, std::string error_class, std::string message);
  asio::awaitable<void> abandon();
  asio::awaitable<void> clean_up();

  Standing standing() const;
  bool lease_over() const;
  BootTime next_look() const;
  asio::awaitable<void> forget(std::vector<journal::StepRun> runs);
  std::vector<std::string> take_made_by(const journal::StepRun& run);
  void begin(const Action& action);
  bool take_worker();
  void give_back_unused();
  asio::awaitable<void> run_step(std::shared_ptr<JobTask> self, RunStep step, std::stop_token stop);
  asio::awaitable<void> pull_item(std::shared_ptr<JobTask> self, PullItem pull, std::stop_token stop);
  struct Running;
  struct InLine;
  ExecutionPorts ports();

  EngineCore& core_;
  JobId id_;
  std::uint64_t epoch_;
  BootTime lease_end_ = BootTime::min();  // of the relay's jobs; none until it was granted or renewed in this process
  Event changed_;
  std::optional<std::string> cancel_;
  bool fenced_ = false;
  bool reload_ = false;
  bool over_ = false;  // ended or abandoned: nothing of it is to be kept
  bool gone_ = false;  // not in the journal as unfinished
  std::size_t running_ = 0;
  std::size_t workers_ = 0;      // kept for this job; those of what runs and, within a turn, of what will
  bool worker_refused_ = false;  // in the last turn
  std::stop_source stop_;
  journal::Job job_;
  journal::StoredJob stored_;  // until its turn comes: the job's time begins to count then
  std::shared_ptr<const recipe::Recipe> recipe_;
  std::optional<ConcurrencyGate::Key> gate_key_;
  bool has_slot_ = false;  // of core_.local_slots
  std::unique_ptr<Execution> execution_;
  std::shared_ptr<JobMemory> memory_;
  std::shared_ptr<JobBodies> bodies_;
  std::map<std::string, std::shared_ptr<ItemReader>> readers_;
  std::map<std::string, std::vector<std::string>> made_;  // bodies in the spool, by the path of their step
};

// What a new job has in memory only; its record is without it from then on.
std::shared_ptr<JobMemory> memory_of(const recipe::Recipe& recipe, journal::Job& job);

}  // namespace sallyport::runner
