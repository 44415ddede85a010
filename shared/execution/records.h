#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What of a job has to be remembered so that a new Execution can go on where an old one was, as plain data. The agent
// keeps it in its journal. Every member named *_json is a payload, and encrypted where it is stored; everything else is
// stored as it is and must therefore never hold data of the recipe's world.
namespace sallyport::execution {

enum class StepStatus { succeeded, failed, skipped, cancelled, in_doubt };

// One run of one step: `path` names it ("upsert", "on_failure.tell"), `item` its place in a foreach.
inline constexpr std::int64_t kNoItem = -1;
struct StepRun {
  std::string path;
  std::int64_t item = kNoItem;
  std::uint32_t attempt = 1;
  friend auto operator<=>(const StepRun&, const StepRun&) = default;
};

// Written before an effect. An intent without a done record after a restart means: it may or may not have happened.
struct Intent {
  StepRun run;
  std::uint64_t epoch = 0;  // under which lease it was started
  std::string idempotency_key;
  WallTime at;
  std::optional<WallTime> wake_at;  // of a durable wait: when it is over
  // Every run of this attempt keeps an effect ledger at its target. What the configuration says later, when the run is
  // in doubt, does not count: an effect without its mark would be taken for one that never happened.
  bool ledger = false;
};

struct Done {
  StepRun run;
  StepStatus status = StepStatus::succeeded;
  WallTime at;
  std::optional<WallTime> retry_at;  // failed, and to be tried again then
  std::string result_json;
};

// Of a foreach: items below `next_item` are complete and their own records gone, but for the first `SetProgress::keep`.
struct Progress {
  std::string path;
  std::int64_t next_item = 0;
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  std::int64_t skipped = 0;
  friend bool operator==(const Progress&, const Progress&) = default;
};

// none: nothing of a job's payload may be on a disk, whatever its recipe says: its organisation keeps none.
enum class Payload { of_recipe, none };

// dry_run: nothing that the job does is to have an effect (docs/dry-run.md).
enum class Mode { real, dry_run };

struct Job {
  JobId id;
  std::uint64_t epoch = 0;  // 0: started by a local trigger, the agent's own
  RecipeId recipe;
  std::uint32_t recipe_version = 0;
  std::uint32_t run_number = 1;
  bool held_before = false;  // by an agent that was lost: a step without a record here may have begun there
  std::string trigger_kind;  // "schedule", "file.watch"; empty for the relay's
  WallTime accepted_at;
  Payload payload = Payload::of_recipe;
  Mode mode = Mode::real;
  std::string recipe_json;
  std::string trigger_json;
  std::string event_key_json;
};

// ---------------------------------------------------------------- what a turn decides to remember

struct AddIntent {
  JobId job;
  Intent intent;  // its epoch must be the job's, or the batch is refused
};
struct AddDone {
  JobId job;
  Done done;
};
struct SetProgress {
  JobId job;
  Progress progress;
  std::int64_t keep = 0;  // items below it keep their done records
};
// The job reached its end: its payloads and records go, a tombstone with its epoch stays for a while.
struct EndJob {
  JobId job;
  WallTime at;
};

using Change = std::variant<AddIntent, AddDone, SetProgress, EndJob>;

// ---------------------------------------------------------------- what comes back

struct StoredJob {
  Job job;
  std::vector<Intent> intents;
  std::vector<Done> done;
  std::vector<Progress> progress;
  std::optional<std::string> cancel_reason;
};

}  // namespace sallyport::execution
