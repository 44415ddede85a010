#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What the journal keeps, as plain data. JSON texts and report bytes are opaque here: the runner writes and reads them.
// Every member named *_json and `report` is a payload and encrypted at rest; everything else is stored as it is and
// must therefore never hold data of the recipe's world.
namespace sallyport::journal {

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
  std::string recipe_json;
  std::string trigger_json;
  std::string event_key_json;
};

enum class JobState { unfinished, finished, abandoned };

// ---------------------------------------------------------------- changes, applied in batches

// Of a job that has ended here, only a later epoch is accepted, and only when none of its reports is left: it starts
// afresh then.
struct AcceptJob {
  Job job;
  std::vector<Done> done;  // completed by an earlier holder
};
// The relay gave a job that is held here (unfinished, or finished and not yet reported) a higher epoch. Records that
// exist here stay: they are what happened here; the relay's fill in the rest.
struct RaiseEpoch {
  JobId job;
  std::uint64_t epoch = 0;
  std::vector<Done> done;
  bool held_before = false;
};
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
struct RequestCancel {
  JobId job;
  std::string reason;
};
// The job reached its end: its payloads and records go, a tombstone with its epoch stays for a while.
struct EndJob {
  JobId job;
  WallTime at;
};
// Somebody else holds it: as EndJob, and its unsent reports go too.
struct AbandonJob {
  JobId job;
  WallTime at;
};
// One row of the outbox. With an empty job it belongs to the agent itself.
struct AddReport {
  JobId job;
  std::string report;
};
// Refuses its batch with Errc::conflict when this recipe has seen the key before.
struct RecordEvent {
  RecipeId recipe;
  std::string key;  // stored as a keyed digest only
  WallTime at;
};
// Kept while the recipe is assigned, and gone with its assignment: a later one begins anew.
struct SetCursor {
  RecipeId recipe;
  std::string name;
  std::string value_json;
};
struct Assignment {
  RecipeId recipe;
  std::uint32_t version = 0;
  std::string recipe_json;
  Payload payload = Payload::of_recipe;
  friend bool operator==(const Assignment&, const Assignment&) = default;
};
struct ReplaceAssignments {
  std::uint64_t revision = 0;
  std::vector<Assignment> recipes;
  WallTime at = {};
};
// Whether this agent may work at all; lasts until it is set again.
struct SetSuspended {
  bool suspended = false;
};
struct AcknowledgeReports {
  std::uint64_t up_to_seq = 0;
};

using Change = std::variant<AcceptJob, RaiseEpoch, AddIntent, AddDone, SetProgress, RequestCancel, EndJob, AbandonJob,
                            AddReport, RecordEvent, SetCursor, ReplaceAssignments, SetSuspended, AcknowledgeReports>;
using Batch = std::vector<Change>;  // all of it or nothing

// ---------------------------------------------------------------- what comes back

struct StoredJob {
  Job job;
  std::vector<Intent> intents;
  std::vector<Done> done;
  std::vector<Progress> progress;
  std::optional<std::string> cancel_reason;
};
struct JobSummary {
  std::uint64_t epoch = 0;
  JobState state = JobState::unfinished;
  bool unreported = false;  // reports of it wait for the relay's confirmation
};
struct HeldJob {
  JobId id;
  std::uint64_t epoch = 0;
};
// Which journal this is, and how far it has come. Another id: it was made anew, and holds nothing of what was before.
// The same id and a lower seq than was seen before: it is an earlier state of itself, from a backup.
struct JournalMark {
  std::uint64_t id = 0;        // random, 63 bits, made with the journal
  std::uint64_t last_seq = 0;  // the highest that its outbox ever gave, also to a row that is gone
  friend bool operator==(const JournalMark&, const JournalMark&) = default;
};
struct OutboxRow {
  std::uint64_t seq = 0;
  JobId job;                // empty: the agent's own
  std::uint64_t epoch = 0;  // the job's now, not that of the time of writing
  std::uint64_t job_seq = 0;
  std::optional<std::string> report;  // nullopt: the row is damaged
};
struct OutboxSize {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};
struct StoredAssignments {
  std::uint64_t revision = 0;
  std::vector<Assignment> recipes;
  bool suspended = false;  // see SetSuspended: none of them is to be acted on
};

}  // namespace sallyport::journal
