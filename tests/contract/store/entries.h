#pragma once

#include "tests/contract/store/world.h"

// What an agent reports of a job, with payloads that name what they would hold.
namespace sallyport::test {

inline constexpr std::size_t kMuch = 1u << 20;

inline store::HistoryEntry job_started(std::uint64_t seq) {
  return {.job_seq = seq, .at = at_ms(100 + static_cast<std::int64_t>(seq)), .what = store::JobStarted{}};
}

inline store::HistoryEntry step_started(std::uint64_t seq, std::string path, std::uint32_t attempt = 1) {
  return {.job_seq = seq,
          .at = at_ms(100 + static_cast<std::int64_t>(seq)),
          .what = store::StepStarted{path, attempt, "sql.execute@1", bytes_of("sealed input of " + path)}};
}

inline store::HistoryEntry step_finished(std::uint64_t seq, std::string path, domain::StepStatus status,
                                         std::uint32_t attempt = 1) {
  return {
      .job_seq = seq,
      .at = at_ms(100 + static_cast<std::int64_t>(seq)),
      .what = store::StepFinished{
          .path = path,
          .attempt = attempt,
          .status = status,
          .error_class = status == domain::StepStatus::failed ? "connection" : "",
          .sealed_message = status == domain::StepStatus::failed ? std::optional(bytes_of("refused")) : std::nullopt,
          .sealed_output = bytes_of("sealed output of " + path)}};
}

inline store::HistoryEntry will_retry(store::HistoryEntry entry) {
  std::get<store::StepFinished>(entry.what).retry_at = at_ms(9'999);
  return entry;
}

inline store::HistoryEntry job_finished(std::uint64_t seq, domain::JobState state) {
  return {.job_seq = seq,
          .at = at_ms(100 + static_cast<std::int64_t>(seq)),
          .what = store::JobFinished{state, {state == domain::JobState::failed ? "connection" : "", {}, ""}}};
}

}  // namespace sallyport::test
