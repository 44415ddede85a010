#pragma once

#include "shared/base/result.h"

#include <array>
#include <cstdint>
#include <string_view>

namespace sallyport::domain {

enum class JobState {
  queued,      // waits for an agent of its group
  dispatched,  // handed to an agent under a lease; not known to run yet
  running,
  succeeded,
  failed,
  cancelled,
  timed_out,
  in_doubt,  // an effect may or may not have happened; a person decides by a re-run
  dead,      // lost by its holder more often than kMaxRuns
};

inline constexpr std::array kJobStates = {JobState::queued,    JobState::dispatched, JobState::running,
                                          JobState::succeeded, JobState::failed,     JobState::cancelled,
                                          JobState::timed_out, JobState::in_doubt,   JobState::dead};

// A job is handed out at most this often; then it is dead.
inline constexpr std::uint32_t kMaxRuns = 5;

std::string_view to_string(JobState state);
Result<JobState> parse_job_state(std::string_view text);

// dispatched or running: an agent holds it, and it counts against concurrency limits.
bool is_active(JobState state);
// Nothing changes the state any more.
bool is_final(JobState state);
bool can_move(JobState from, JobState to);

enum class StepStatus { running, succeeded, failed, skipped, in_doubt, cancelled };

std::string_view to_string(StepStatus status);
Result<StepStatus> parse_step_status(std::string_view text);

}  // namespace sallyport::domain
