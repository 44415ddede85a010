#pragma once

#include "relay/domain/job_state.h"
#include "relay/domain/release.h"
#include "relay/domain/retention.h"
#include "relay/store/audit_note.h"
#include "relay/store/job_keys.h"
#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>

namespace sallyport::store {

// How a job ended, or why: classes are for machines, messages for people.
struct JobError {
  std::string error_class;              // "", "connection", "timeout", "policy", ...
  std::optional<Bytes> sealed_message;  // by the envelope: table "jobs", column "error_message", record = the job's id
  std::string failed_step;
};

// What triggers, steps and logs of a job say: stored, sealed; or, by its recipe's wish, never stored (zero retention).
enum class Payload { kept, none };
constexpr std::string_view to_string(Payload payload) { return payload == Payload::kept ? "kept" : "none"; }

// dry_run: the agent lets nothing of it have an effect, and it counts as no run of its recipe (docs/dry-run.md).
enum class Mode { real, dry_run };
constexpr std::string_view to_string(Mode mode) { return mode == Mode::real ? "real" : "dry_run"; }

struct Job {
  JobId id;  // unique in the organisation; made by the agent when a local trigger started the job
  OrgId org;
  RecipeId recipe;
  std::uint32_t version = 0;
  GroupId group;
  std::optional<AgentId> agent;  // who holds it, or held it last
  domain::JobState state = domain::JobState::queued;
  std::string trigger_kind;             // "manual", "webhook", "schedule", "file.watch", "rerun"
  std::string event_key;                // "" = no de-duplication; a fingerprint without payload
  std::int32_t priority = 0;            // higher goes first
  std::uint64_t lease_epoch = 0;        // fencing token; 0 while no relay lease was given
  std::optional<WallTime> lease_until;  // for people only: the truth is the dispatcher's monotonic clock
  std::uint32_t run_number = 1;
  bool held_before = false;  // by an agent that was lost: steps without a result may have begun there
  std::optional<JobId> rerun_of;
  std::string concurrency_key;          // as event_key
  std::uint32_t concurrency_limit = 0;  // most active jobs of (recipe, concurrency_key); 0 = no limit
  std::optional<WallTime> cancel_requested_at;
  WallTime created_at;
  std::optional<WallTime> dispatched_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  JobError error;
  domain::JobRetention retention = {};  // in effect when it was made: never more later
  std::string recipe_name = {};         // of a removed recipe too; read only
  Payload payload = Payload::kept;
  Mode mode = Mode::real;
};

// A step that a re-run takes over from the job before it: never run again.
struct KeptStep {
  std::string path;
  std::uint32_t attempt = 1;
  domain::StepStatus status = domain::StepStatus::succeeded;
  std::string uses;
  Bytes sealed_output;    // table "steps", column "output", record = step_record() of the new job
  std::string plan = {};  // of a dry run, as in StepFinished
};

struct NewJob {
  Job job;
  // By the envelope: table "jobs", column "trigger", record = the job's id. Without payload there must be none, and no
  // kept steps.
  Bytes sealed_trigger = {};
  std::vector<JobKey> keys = {};  // under which these and all that follows are sealed
  std::vector<KeptStep> kept = {};
  // Not when as many unfinished jobs of (recipe, concurrency_key) as its limit are there already.
  bool only_with_room = false;
  std::string request_key = {};  // a claimed idempotency key that is to start one job at most; "" = none
  std::optional<std::uint64_t> most_queued = {};  // jobs of the organisation that may wait for the group
};

enum class AddOutcome { added, duplicate };

struct AddedJob {
  Job job;  // the one that was there already when it is a duplicate
  AddOutcome outcome = AddOutcome::added;
};

struct JobFilter {
  std::optional<domain::JobState> state;
  std::optional<RecipeId> recipe;
  std::optional<AgentId> agent;
  std::optional<WallTime> since;  // created at or after
  std::optional<WallTime> until;  // created before
  bool ended = false;             // only those that have ended
};

// The queued jobs of one agent group.
struct Queue {
  OrgId org;
  GroupId group;
  std::uint64_t queued = 0;
  WallTime oldest;  // created_at of the job that waits longest
};

struct StateCount {
  domain::JobState state = domain::JobState::queued;
  std::uint64_t count = 0;
};

struct Claim {
  AgentId agent;
  std::uint64_t expected_epoch = 0;  // the job's epoch as the caller saw it; the claim makes it one more
  WallTime at;
  WallTime lease_until;
};

struct ClaimedJob {
  Job job;
  Bytes sealed_trigger;  // empty without payload
};

struct Release {
  WallTime at;
  domain::ReleaseReason reason = domain::ReleaseReason::holder_lost;
  JobError if_dead = {};  // when this ends the job: it ran too often, or its holder was lost before a cancel reached it
};

struct JobOutcome {
  domain::JobState state = domain::JobState::failed;  // a final one
  WallTime at;
  JobError error;
};

struct Cancel {
  WallTime at;
  JobError if_in_doubt = {};  // when this ends a job whose lost holder was in the middle of a step
};

class Jobs {
 public:
  virtual ~Jobs() = default;
  // Stores the job together with its event. The same (recipe, event_key), or the same job id, again: nothing is stored
  // and the first job is returned. conflict: no room, for a job that is only wanted with room; or a queued job of a
  // removed recipe or for a removed group. A re-run (rerun_of is set) is never a duplicate by its event key. A job that
  // a local trigger started on an agent comes in with state running, its agent, and lease epoch 0. The same request_key
  // again gives the job it started, as added. exhausted: most_queued jobs wait for the group. conflict: nobody holds a
  // claim on request_key.
  virtual awaitable<Result<AddedJob>> add(OrgId org, NewJob job, AuditNote<AddedJob> note = {}) = 0;
  virtual awaitable<Result<Job>> find(OrgId org, JobId id) = 0;
  virtual awaitable<Result<Bytes>> sealed_trigger(OrgId org, JobId id) = 0;  // not_found also without payload
  virtual awaitable<Result<Page<Job>>> list(OrgId org, JobFilter filter, PageQuery page) = 0;  // newest first
  // Unfinished jobs of the agent, dispatched or running, oldest first, at most 1,000.
  virtual awaitable<Result<std::vector<Job>>> holding(OrgId org, AgentId agent) = 0;

  // queued -> dispatched. conflict: not queued any more, or another epoch. exhausted: the concurrency limit is reached.
  virtual awaitable<Result<ClaimedJob>> claim(OrgId org, JobId id, Claim claim) = 0;
  // Back to the queue under the next epoch, so that the holder's late reports are fenced off at once; its history says
  // so (job.taken_back). More than domain::kMaxRuns runs: dead. Cancel requested: cancelled, or in_doubt as below.
  // conflict: other epoch, not active.
  virtual awaitable<Result<Job>> release(OrgId org, JobId id, std::uint64_t epoch, Release release) = 0;
  // Ends a job from the relay's side: in_doubt, with its steps, when one was running. conflict: other epoch, or ended.
  virtual awaitable<Result<Job>> finish(OrgId org, JobId id, std::uint64_t epoch, JobOutcome outcome) = 0;
  // A queued job ends at once (as by finish); an active one is marked, and its agent has to be told. Again: no change.
  // conflict: it has ended.
  virtual awaitable<Result<Job>> request_cancel(OrgId org, JobId id, Cancel cancel, AuditNote<Job> note = {}) = 0;

  // System-wide, for the dispatcher. At most `limit` jobs, whose order takes turns between organisations and then
  // between groups; within a group by priority, then age. Jobs at their concurrency limit are left out. Only groups in
  // `among`; none = all. Its cost does not grow with the number of jobs that wait.
  virtual awaitable<Result<std::vector<Job>>> next_queued(std::vector<GroupId> among, std::size_t limit) = 0;
  // System-wide, for metrics: of each group for which jobs wait; the longest waiting first, at most 1,000.
  virtual awaitable<Result<std::vector<Queue>>> queues() = 0;
  virtual awaitable<Result<Page<Job>>> active_all(PageQuery page) = 0;  // system-wide, to rebuild leases at start
  // System-wide, to end at start what waits for nothing; oldest first.
  virtual awaitable<Result<std::vector<Job>>> queued_without_payload(std::size_t limit) = 0;
  virtual awaitable<Result<std::vector<StateCount>>> unfinished_counts() = 0;  // system-wide, for metrics
};

}  // namespace sallyport::store
