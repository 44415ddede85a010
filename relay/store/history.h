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
  std::string message;
  std::optional<Bytes> sealed_output;  // table "steps", column "output", record = step_record()
  std::optional<WallTime> retry_at;    // set: another attempt follows
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

// The newest word on one attempt of one step.
struct Step {
  std::string path;
  std::uint32_t attempt = 1;
  domain::StepStatus status = domain::StepStatus::running;
  std::string uses;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::string error_class;
  std::string message;
  std::optional<Bytes> sealed_input;
  std::optional<Bytes> sealed_output;
  std::optional<WallTime> retry_at;
};

// A line of the job's life, for tails: the payloads are in the steps.
struct HistoryEvent {
  std::uint64_t seq = 0;  // the relay's count within the job, from 1 without gaps, over all epochs
  std::uint64_t epoch = 0;
  std::uint64_t job_seq = 0;
  WallTime at;
  std::string kind;  // "job.started", "step.started", "step.finished", "step.log", "job.finished"
  std::string path;
  std::uint32_t attempt = 0;
  std::string status;  // of the step or job, or the level of a log line
  std::optional<Bytes> sealed_text;
};

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
  virtual awaitable<Result<std::vector<Step>>> steps(OrgId org, JobId job) = 0;  // as they started; at most 10,000
  // Events with seq > after_seq in order; at most `limit`, at most 1,000.
  virtual awaitable<Result<std::vector<HistoryEvent>>> events(OrgId org, JobId job, std::uint64_t after_seq,
                                                              std::size_t limit) = 0;
  // What a new holder must not run again: succeeded, skipped, and failed for good; the last attempt of each path.
  virtual awaitable<Result<std::vector<Step>>> completed(OrgId org, JobId job) = 0;
};

}  // namespace sallyport::store
