#include "relay/domain/job_state.h"

namespace sallyport::domain {

std::string_view to_string(JobState state) {
  switch (state) {
    case JobState::queued: return "queued";
    case JobState::dispatched: return "dispatched";
    case JobState::running: return "running";
    case JobState::succeeded: return "succeeded";
    case JobState::failed: return "failed";
    case JobState::cancelled: return "cancelled";
    case JobState::timed_out: return "timed_out";
    case JobState::in_doubt: return "in_doubt";
    case JobState::dead: return "dead";
  }
  return "";
}

Result<JobState> parse_job_state(std::string_view text) {
  for (JobState state : kJobStates) {
    if (text == to_string(state)) return state;
  }
  return fail(Errc::invalid,
              "unknown job state: expected queued, dispatched, running, succeeded, failed, cancelled, timed_out, "
              "in_doubt or dead");
}

bool is_active(JobState state) { return state == JobState::dispatched || state == JobState::running; }

bool is_final(JobState state) { return state != JobState::queued && !is_active(state); }

bool can_move(JobState from, JobState to) {
  if (is_final(from)) return false;
  if (to == JobState::queued) return is_active(from);
  if (to == JobState::dispatched) return from == JobState::queued;
  if (to == JobState::running) return from == JobState::dispatched;
  if (to == JobState::succeeded || to == JobState::in_doubt) return is_active(from);
  return true;
}

std::string_view to_string(StepStatus status) {
  switch (status) {
    case StepStatus::running: return "running";
    case StepStatus::succeeded: return "succeeded";
    case StepStatus::failed: return "failed";
    case StepStatus::skipped: return "skipped";
    case StepStatus::in_doubt: return "in_doubt";
    case StepStatus::cancelled: return "cancelled";
  }
  return "";
}

Result<StepStatus> parse_step_status(std::string_view text) {
  for (StepStatus status : {StepStatus::running, StepStatus::succeeded, StepStatus::failed, StepStatus::skipped,
                            StepStatus::in_doubt, StepStatus::cancelled}) {
    if (text == to_string(status)) return status;
  }
  return fail(Errc::invalid,
              "unknown step status: expected running, succeeded, failed, skipped, in_doubt or cancelled");
}

}  // namespace sallyport::domain
