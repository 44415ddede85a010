#pragma once

#include "relay/store/jobs.h"

#include <variant>

namespace sallyport::store {

struct JobStarted {};

struct StepStarted {
  std::string path;  // "upsert", "upsert[3]", "on_failure.tell"
  std::uint32_t attempt = 1;
  std::string uses;
  std::optional<Bytes> sealed_input;  // by the envelope: table "steps", column "input", record = step_record()
};

struct StepFinished {
  std::string path;
  std::uint32_t attempt = 1;
  domain::StepStatus status = domain::StepStatus::succeeded;
  std::string error_class;
  std::optional<Bytes> sealed_message;  // table "steps", column "message", record = step_record()
  std::optional<Bytes> sealed_output;   // the same, column "output"
  std::optional<WallTime> retry_at;     // set: another attempt follows
  std::string uses = {};                // of an attempt whose start was not told; else what its start said stays
  std::string plan = {};                // what a dry run did with it: "", "ran", "rolled_back", "planned"
};

struct StepLog {
  std::string path;
  std::string level;
  Bytes sealed_text;  // table "history", column "text", record = entry_record()
};

struct JobFinished {
  domain::JobState state = domain::JobState::failed;
  JobError error;
};

// One report of an agent about a job.
struct HistoryEntry {
  std::uint64_t job_seq = 0;  // counts up within the job and the holder's epoch
  WallTime at;                // the agent's clock
  std::variant<JobStarted, StepStarted, StepFinished, StepLog, JobFinished> what;
};

struct AppendResult {
  std::size_t stored = 0;  // entries that were not there before
  Job job;                 // after it
};

// The newest word on one attempt of one step, without its input and output.
struct Step {
  std::string path;
  std::uint32_t attempt = 1;
  domain::StepStatus status = domain::StepStatus::running;
  std::string uses;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::string error_class;
  std::optional<Bytes> sealed_message;
  std::optional<WallTime> retry_at;
  std::size_t payload_bytes = 0;  // of its sealed input and output together
  std::uint64_t first_seq = 0;    // of the event with which it began; steps are listed in this order
  std::string plan = {};          // as in StepFinished
};

struct StepFilter {
  std::optional<std::string> path;
};

struct StepKey {
  std::string path;
  std::uint32_t attempt = 1;
};

struct StepPayloads {
  std::optional<Bytes> sealed_input;
  std::optional<Bytes> sealed_output;
};

// Of a job.taken_back, whose status is "queued": the job waits for its next agent. One that did not count as a run is
// told once only until an agent reports again: an agent may be busy for hours.
struct TakenBack {
  AgentId agent;  // that held it
  domain::ReleaseReason reason = domain::ReleaseReason::holder_lost;
};

// A line of the job's life, for tails: the payloads are in the steps.
struct HistoryEvent {
  std::uint64_t seq = 0;  // the relay's count within the job, from 1 without gaps, over all epochs
  std::uint64_t epoch = 0;
  std::uint64_t job_seq = 0;
  WallTime at;
  std::string kind;  // "job.started", "job.taken_back", "step.started", "step.finished", "step.log", "job.finished"
  std::string path;
  std::uint32_t attempt = 0;
  std::string status;  // of the step or job, or the level of a log line
  std::optional<Bytes> sealed_text;
  // Of a step.finished that is the newest word on its attempt: as in StepFinished.
  std::string error_class;
  std::optional<Bytes> sealed_message;
  std::optional<TakenBack> taken_back = {};
};

enum class Texts { with, without };
enum class Lines { all, taken_back };

struct EventQuery {
  std::uint64_t after_seq = 0;
  std::size_t limit = 1000;           // at most 1,000
  std::size_t most_bytes = 1u << 20;  // of texts and messages; the first event is given whatever its size
  Texts texts = Texts::with;
  Lines lines = Lines::all;
};

struct Events {
  std::vector<HistoryEvent> items;
  bool more = false;  // the store holds later ones
};

inline constexpr std::size_t kMostKept = 10'000;  // steps whose results are handed on
inline constexpr std::size_t kMaxStepPage = 1'000;

// The `record` part of the sealed fields' identities.
std::string step_record(const JobId& job, std::string_view path, std::uint32_t attempt);
std::string entry_record(const JobId& job, std::uint64_t epoch, std::uint64_t job_seq);

class History {
 public:
  virtual ~History() = default;
  // Stores each entry once (job, epoch, job_seq), and what it says about steps and about the job's state, in one
  // transaction. conflict: another epoch holds the job; nothing is stored. After the job's end entries are still
  // stored, and the job's state stays. A step that succeeded is never overwritten. Payloads arrive sealed.
  virtual awaitable<Result<AppendResult>> append(OrgId org, JobId job, std::uint64_t epoch,
                                                 std::vector<HistoryEntry> entries) = 0;
  // As they started; pages of at most kMaxStepPage. A step that starts between two pages is in a later one.
  virtual awaitable<Result<Page<Step>>> steps(OrgId org, JobId job, StepFilter filter, PageQuery page) = 0;
  // Of each of these steps, in their order; nothing in it for one that is not there. The caller bounds what it asks for
  // by Step::payload_bytes.
  virtual awaitable<Result<std::vector<StepPayloads>>> payloads(OrgId org, JobId job, std::vector<StepKey> steps) = 0;
  // Events with seq > after_seq in order.
  virtual awaitable<Result<Events>> events(OrgId org, JobId job, EventQuery query) = 0;
  // What a new holder must not run again: succeeded, skipped, and failed for good; the last attempt of each path, with
  // its output (empty: none). too_large: more than kMostKept of them, or over `most_bytes` of outputs.
  virtual awaitable<Result<std::vector<KeptStep>>> completed(OrgId org, JobId job, std::size_t most_bytes) = 0;
};

}  // namespace sallyport::store
