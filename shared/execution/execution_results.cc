#include "shared/base/text.h"
#include "shared/execution/execution_impl.h"

#include <algorithm>

namespace sallyport::execution {
namespace {

using Stage = OpenRun::Stage;

constexpr auto kDoubtPause = std::chrono::seconds(1);
constexpr std::uint32_t kMostDoublings = 5;

// Takes up to a fifth off, so that jobs that failed together do not all come back together; the same after a restart.
std::chrono::milliseconds spread(std::chrono::milliseconds delay, const std::string& key, std::uint32_t attempt) {
  const auto digit = static_cast<std::int64_t>(static_cast<unsigned char>(key[attempt % key.size()]) % 16);
  return delay - delay * digit / 80;
}

// A run that did not reach its target has not found out what the one before it, in doubt, has done there.
bool is_unreached(const StepError& error) {
  return error.error_class() == "connection" || error.error_class() == "timeout";
}

}  // namespace

void Execution::Impl::take(Result result) {
  if (!current) return;
  const auto it = current->runs.find(result.run.item);
  if (it == current->runs.end() || it->second.id != result.run || it->second.stage != Stage::running) return;
  OpenRun& run = it->second;
  if (result.result) return succeed(run, *result.result);
  StepError error = tellable(std::move(result.result).error(), run.telling);
  if (const auto& told = run.told_doubt; told && is_unreached(error)) {
    error.classes.insert(error.classes.begin(), "in_doubt");
    error.message = told->message;
  }
  const bool broken_off = error.error_class() == "cancelled";
  notice_ending();
  if (error.error_class() == "in_doubt") return take_doubt(run, error);
  if (ran_out_of_time(error)) return end_run(run.id.item, cut_short(run));
  if (broken_off && ending) return end_run(run.id.item, cut_short(run));
  if (broken_off && run.interrupted) {
    run.stage = Stage::fresh;
    run.doubtful = true;
    return;
  }
  run.told_doubt.reset();
  Outcome failed = Outcome::failure(error);
  failed.output = mask_of(*current->step, run.id).labelled(failed.output.with_label(run.label));
  settle(run, failed);
}

void Execution::Impl::succeed(OpenRun& run, const Output& given) {
  if (given.plan == Plan::planned) return settle(run, planned(run, given));
  auto output = settled(given.value, deep_label(given.value) | run.label);
  if (!output) return settle(run, Outcome::failure(tellable(std::move(output).error(), run.telling)));
  Outcome outcome = Outcome::success(mask_of(*current->step, run.id).labelled(*output));
  outcome.plan = given.plan;
  settle(run, outcome);
}

Outcome Execution::Impl::planned(const OpenRun& run, const Output& given) {
  const auto* action = recipe::find_action(current->step->uses);
  const bool gives_nothing = action != nullptr && action->output.empty();
  Outcome outcome = Outcome::success(Value());
  outcome.plan = Plan::planned;
  outcome.unknown = gives_nothing ? Unknown::nothing : Unknown::everything;
  report_log(run.id, "info",
             "dry run: not done; a real run would do it with the input that is shown" +
                 (given.remark.empty() ? "" : ". Why it is not tried: " + given.remark));
  return outcome;
}

// The job's limit is also a limit of the step: it ends as at its own `timeout`, whichever word its action found for it.
// An action that cannot know whether its effect happened says so itself.
bool Execution::Impl::ran_out_of_time(const StepError& error) const {
  const bool stopped = error.error_class() == "cancelled" || error.error_class() == "timeout";
  return stopped && ending && ending->status == JobStatus::timed_out;
}

// As after a crash: launch() asks the recipe, and `retry` has no say. The pause, longer each time, keeps a target that
// fails in the same way again and again from being hammered.
void Execution::Impl::take_doubt(OpenRun& run, const StepError& error) {
  run.doubtful = true;
  run.told_doubt = error;
  const auto pause = kDoubtPause * (1 << std::min(run.doubts++, kMostDoublings));
  if (ending) return end_run(run.id.item, cut_short(run));
  if (run.repeats && retry_doubt(run, error)) return;
  run.stage = Stage::sleeping;
  run.wake = now.steady + pause;
}

// What finds out by itself whether it has happened is first tried again as the recipe says for the error behind the
// doubt.
bool Execution::Impl::retry_doubt(OpenRun& run, StepError error) {
  const auto& retry = current->step->retry;
  error.classes.erase(error.classes.begin());
  const bool applies = retry && !error.classes.empty() && retry->applies(run.id.attempt, error.classes);
  if (!applies || (current->loop && current->loop->first_error())) return false;
  retry_later(run, *retry, Outcome::failure(std::move(error)));
  return true;
}

void Execution::Impl::take(Pulled pulled) {
  if (!current || !current->loop || current->path != pulled.path || current->reading.item != pulled.index) return;
  current->reading.item.reset();
  auto& loop = *current->loop;
  notice_ending();
  if (ending || loop.first_error()) return;
  if (!pulled.item) {
    const bool broken_off = pulled.item.error().error_class() == "cancelled" && current->reading.interrupted;
    if (broken_off) return;
    const Label label = loop.label() | telling_mask(*current->step);
    auto error = tellable(std::move(pulled.item).error(), label);
    error.message.insert(0, "reading item " + std::to_string(pulled.index) + ": ");
    if (!read_later(error)) loop.fail(std::move(error));
    return;
  }
  current->reading.failures = 0;
  if (!*pulled.item) {
    loop.end_at(pulled.index);
  } else if (pulled.index >= loop.limit()) {
    loop.fail(loop.too_many());
  } else {
    loop.take();
    current->runs.emplace(pulled.index, resume(pulled.index, loop.labelled(**pulled.item)));
  }
}

// The step's `retry` counts the failures of one item's reading, one after another.
bool Execution::Impl::read_later(const StepError& error) {
  const auto& retry = current->step->retry;
  auto& reading = current->reading;
  if (!retry || !retry->applies(reading.failures + 1, error.classes)) return false;
  const StepRun whole{current->path, kNoItem, 1};
  ++reading.failures;
  const auto delay = spread(retry->delay(reading.failures), idempotency_key(job.id, whole), reading.failures);
  reading.not_before = now.steady + delay;
  report_log(whole, "warn", error.message + " (" + error.error_class() + "): read again in " + format_duration(delay));
  return true;
}

void Execution::Impl::settle(OpenRun& run, const Outcome& outcome) {
  const auto& retry = current->step->retry;
  const bool fails_anyway = ending || (current->loop && current->loop->first_error());
  const bool may = outcome.status == StepStatus::failed && outcome.error && !fails_anyway;
  if (retry && may && retry->applies(run.id.attempt, outcome.error->classes)) return retry_later(run, *retry, outcome);
  end_run(run.id.item, outcome);
}

void Execution::Impl::retry_later(OpenRun& run, const recipe::Retry& retry, Outcome outcome) {
  run.repeated |= run.doubtful;
  outcome.doubted = run.repeated;
  const auto delay = spread(retry.delay(run.id.attempt), idempotency_key(job.id, run.id), run.id.attempt);
  const WallTime at = now.wall + delay;
  record_done(run.id, outcome, at);
  report_finished(run.id, outcome, at);
  turn.forget.push_back(run.id);
  ++run.id.attempt;
  run.started = false;
  run.stage = Stage::sleeping;
  run.wake = now.steady + delay;
  run.doubtful = false;
}

void Execution::Impl::end_run(std::int64_t item, const Outcome& outcome) {
  const OpenRun run = current->runs.at(item);
  current->runs.erase(item);
  report_finished(run.id, outcome, std::nullopt);
  if (item != kNoItem) return end_item(run, outcome);
  record_done(run.id, outcome, std::nullopt);
  const auto& step = *current->step;
  const std::string path = current->path;
  conclude(step, path, outcome);
}

void Execution::Impl::end_item(const OpenRun& run, const Outcome& outcome) {
  auto& loop = *current->loop;
  const bool moved = loop.complete(run.id.item, outcome) && loop.saves_progress();
  if (!moved || run.id.item < kKeptResults) record_done(run.id, outcome, std::nullopt);
  const bool kept = current->results_named && run.id.item < kKeptResults && outcome.status == StepStatus::succeeded;
  if (!kept) turn.forget.push_back(run.id);
  if (moved) turn.changes.push_back(SetProgress{job.id, loop.progress_at(current->path), kKeptResults});
}

}  // namespace sallyport::execution
