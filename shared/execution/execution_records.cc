#include "shared/base/text.h"
#include "shared/base/utf8.h"
#include "shared/crypto/digest.h"
#include "shared/execution/execution_impl.h"

#include <algorithm>
#include <charconv>

namespace sallyport::execution {
namespace {

constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kMaxMessage = 4'096;
constexpr std::size_t kMaxLogText = 64u << 10;

}  // namespace

std::string_view to_string(JobStatus status) {
  switch (status) {
    case JobStatus::succeeded: return "succeeded";
    case JobStatus::failed: return "failed";
    case JobStatus::cancelled: return "cancelled";
    case JobStatus::timed_out: return "timed_out";
    case JobStatus::in_doubt: return "in_doubt";
  }
  return "failed";
}

std::string_view to_string(StepStatus status) {
  switch (status) {
    case StepStatus::succeeded: return "succeeded";
    case StepStatus::failed: return "failed";
    case StepStatus::skipped: return "skipped";
    case StepStatus::cancelled: return "cancelled";
    case StepStatus::in_doubt: return "in_doubt";
  }
  return "failed";
}

StepError doubt() {
  return {{"in_doubt"},
          "it began before an interruption, or may have begun on an agent that was lost, and nobody can know whether "
          "its effect happened: look at the target, then decide",
          {}};
}

std::string path_text(const StepRun& run) {
  if (run.item == kNoItem) return run.path;
  return run.path + "[" + std::to_string(run.item) + "]";
}

std::optional<StepRun> parse_path(std::string_view text, std::uint32_t attempt) {
  const auto open = text.find('[');
  StepRun run{std::string(text.substr(0, open)), kNoItem, attempt};
  if (run.path.empty()) return std::nullopt;
  if (open == std::string_view::npos) return run;
  if (text.size() < open + 3 || text.back() != ']') return std::nullopt;
  const char* end = text.data() + text.size() - 1;
  const auto [stop, error] = std::from_chars(text.data() + open + 1, end, run.item);
  if (error != std::errc() || stop != end || run.item < 0) return std::nullopt;
  return run;
}

std::string idempotency_key(const JobId& job, const StepRun& run) {
  const auto digest = crypto::sha256("sallyport step 1\n" + job.value + "\n" + path_text(run));
  return hex(std::span(digest).first(kKeyBytes));
}

Intent Execution::Impl::intent_of(const StepRun& run) const {
  return {run, job.epoch, idempotency_key(job.id, run), now.wall, std::nullopt};
}

void Execution::Impl::record_intent(Intent intent) { turn.changes.push_back(AddIntent{job.id, std::move(intent)}); }

void Execution::Impl::record_done(const StepRun& run, const Outcome& outcome, std::optional<WallTime> retry_at) {
  const auto kept = recipe->keeps_payload() ? without_masked(outcome, mask_of(*current->step, run)) : bare(outcome);
  const bool is_less = kept.output_lost || kept.parts_lost || !recipe->keeps_payload();
  if (is_less && !retry_at && run.item < kKeptResults) memory->keep(run, outcome);
  turn.changes.push_back(AddDone{job.id, {run, outcome.status, now.wall, retry_at, encode_outcome(kept)}});
}

void Execution::Impl::report_started(OpenRun& run, const std::string& input_json) {
  if (std::exchange(run.started, true)) return;
  turn.reports.push_back(report::StepStarted{path_text(run.id), run.id.attempt, current->step->uses, input_json});
}

void Execution::Impl::report_finished(const StepRun& run, const Outcome& outcome, std::optional<WallTime> retry_at) {
  report::StepFinished finished;
  finished.path = path_text(run);
  finished.attempt = run.attempt;
  finished.uses = current->step->uses;
  finished.status = to_string(outcome.status);
  finished.plan = outcome.plan;
  // Of a failed step only what can be shown is told: a redacted one would keep the job from another agent.
  const bool tells = !outcome.output.is(Value::Kind::null) && outcome.output.label() == Label::none;
  const bool known = outcome.unknown != Unknown::everything;
  if (known && (outcome.status == StepStatus::succeeded || tells)) finished.output_json = shown(outcome.output);
  if (outcome.error) {
    finished.error_class = outcome.error->error_class();
    finished.message = shortened(outcome.error->message, kMaxMessage);
  }
  if (retry_at) finished.retry_at_ms = unix_ms(*retry_at);
  turn.reports.emplace_back(std::move(finished));
  if (outcome.error && outcome.error->error_class() == "policy") {
    turn.reports.push_back(
        report::AgentEvent{"policy.refused", outcome.error->rule, shortened(outcome.error->message, kMaxMessage)});
  }
}

void Execution::Impl::report_log(const StepRun& run, std::string_view level, std::string text) {
  turn.reports.push_back(report::StepLog{path_text(run), std::string(level), shortened(std::move(text), kMaxLogText)});
}

void Execution::Impl::report_job(JobStatus status, const StepError& error, const std::string& step) {
  turn.reports.push_back(report::JobFinished{std::string(to_string(status)), error.error_class(),
                                             shortened(error.message, kMaxMessage), step});
}

// A wait never becomes longer than it was meant to be, whatever the wall clock did meanwhile.
SteadyTime Execution::Impl::steady_at(WallTime wall, std::chrono::milliseconds at_most) const {
  return now.steady + std::clamp(wall - now.wall, std::chrono::milliseconds(0), at_most);
}

}  // namespace sallyport::execution
