#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"
#include "shared/execution/records.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What the journal keeps, as plain data. JSON texts and report bytes are opaque here: the runner writes and reads them.
// Every member named *_json and `report` is a payload and encrypted at rest; everything else is stored as it is and
// must therefore never hold data of the recipe's world.
namespace sallyport::journal {

using execution::AddDone;
using execution::AddIntent;
using execution::Done;
using execution::EndJob;
using execution::Intent;
using execution::Job;
using execution::kNoItem;
using execution::Mode;
using execution::Payload;
using execution::Progress;
using execution::SetProgress;
using execution::StepRun;
using execution::StepStatus;
using execution::StoredJob;

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
struct RequestCancel {
  JobId job;
  std::string reason;
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

// What the core that runs a job decided to remember, in the same order.
inline Batch batch_of(const std::vector<execution::Change>& changes) {
  Batch batch;
  for (const auto& change : changes) std::visit([&](const auto& one) { batch.emplace_back(one); }, change);
  return batch;
}

// ---------------------------------------------------------------- what comes back

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
