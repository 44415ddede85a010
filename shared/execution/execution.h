#pragma once

#include "shared/base/clock.h"
#include "shared/base/secret.h"
#include "shared/execution/job_memory.h"
#include "shared/execution/records.h"
#include "shared/execution/report.h"
#include "shared/execution/step_result.h"
#include "shared/recipe/model.h"
#include "shared/recipe/secret_use.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::execution {

struct Now {
  SteadyTime steady;
  WallTime wall;
};

// Who runs the job; visible to expressions as `agent`, beside the group that its recipe runs on.
struct AgentFacts {
  std::string name;
};

// Gives the local secret that `secrets.<name>` of a step stands for, if the local policy lets the step have it.
using SecretSource = std::function<StepResult<Secret>(const recipe::SecretUse&)>;

// What the state machine asks while it decides; all answer at once.
struct ExecutionPorts {
  // connectors::Action::keeps_ledger of the named action; false when there is no such action.
  std::function<bool(std::string_view uses, std::string_view connection, const Value& arguments)> keeps_ledger;
  SecretSource secret;  // empty: this agent has none
  // Asked right before a RunStep or PullItem is handed out: true when a worker is kept for it. False: next() is to be
  // called again when one is free. Empty: there is always one.
  std::function<bool()> worker;
  std::shared_ptr<JobMemory> memory;  // of this job; empty: a new one
};

// Whether a new effect may begin: no while the lease has ended, the agent drains or the outbox is full.
enum class Standing { may_act, must_wait };

// Run one attempt of one step. The intent is on the disk when this is handed out.
struct RunStep {
  StepRun run;
  std::string path;  // with the item: "upsert[3]"
  std::string uses;
  std::string connection;
  Value arguments;  // complete and checked against the catalogue
  std::string idempotency_key;
  bool repeated = false;                    // an earlier run with this key was broken off, and may have come some way
  std::chrono::milliseconds time_limit{0};  // of this attempt, from when it really starts; a worker is kept for it
  Mode mode = Mode::real;
  bool in_memory = false;  // the bodies that it makes are to be on no disk
  SteadyTime latest;       // a little after the job's own limit, which interrupts it
};
// Give item `index` of a body; nothing behind its last one.
struct PullItem {
  std::string path;
  Handle source;
  std::int64_t index = 0;
  SteadyTime latest;  // as above
};
using Action = std::variant<RunStep, PullItem>;

enum class JobStatus { succeeded, failed, cancelled, timed_out, in_doubt };
std::string_view to_string(JobStatus status);
std::string_view to_string(StepStatus status);

// What is to be done now, in this order: make `changes` and `reports` durable in one transaction; then the rest.
struct Turn {
  std::vector<Change> changes;
  std::vector<report::Body> reports;
  // What these gave can be named by nothing any more: the bodies they made may go once the turn is durable. kNoItem
  // stands for all items, too.
  std::vector<StepRun> forget;
  std::vector<Action> actions;
  bool interrupt = false;          // stop what is running: the job was cancelled or is over its time
  std::optional<SteadyTime> wake;  // call next() again then, if nothing happens before
  std::optional<JobStatus> finished;
};

// The state machine of ONE job: decides what comes next, remembers nothing but what the journal holds, so that a new
// one made from the journal after a crash goes on where the old one was. No IO, no clock, one thread.
//
// A step that waits for a worker has not begun: nothing of it is recorded or reported before one is kept for it, and a
// cancel, the job's limit or the step's own `timeout` ends it at once.
//
// In a dry run a step that was broken off is run again whatever it does: it had no effect. What gave no output because
// it was only planned can be named by nobody: that is class output_unknown.
//
// A step whose records are complete is never run again. An intent without a done record is in doubt: run again with the
// same idempotency key when the catalogue says that is safe or that the target keeps a ledger; otherwise `on_in_doubt`
// decides, and never a silent repeat. What was masked is in no journal: after a crash a step that only reads is run
// again for it, and whoever names that of another one fails with class output_lost. The idempotency key of a step run
// depends on the job, the path and the item only: it is the same for every attempt, every lease and every agent.
class Execution {
 public:
  // Without leave to act no new effect begins; results are taken all the same.
  Execution(std::shared_ptr<const recipe::Recipe> recipe, StoredJob stored, const AgentFacts& agent,
            ExecutionPorts ports, Now now);
  ~Execution();
  Execution(Execution&&) noexcept;

  Turn next(Now now);

  // Taken in by the following next(). A result of class cancelled after the leave to act was withdrawn says:
  // interrupted, nobody knows how far it came.
  void on_step_result(const StepRun& run, StepResult<Output> result);
  // The leave to act went away before it began: nothing has happened, and it is handed out again later.
  void on_not_begun(const StepRun& run);
  void on_item(const std::string& path, std::int64_t index, StepResult<std::optional<Value>> item);
  void cancel(std::string reason);
  void set_standing(Standing standing);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Lower-case hex, 128 bits.
std::string idempotency_key(const JobId& job, const StepRun& run);
// "upsert", "upsert[3]"; and back.
std::string path_text(const StepRun& run);
std::optional<StepRun> parse_path(std::string_view text, std::uint32_t attempt);

}  // namespace sallyport::execution
