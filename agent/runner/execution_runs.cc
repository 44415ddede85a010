#include "agent/runner/execution_impl.h"

#include <algorithm>

namespace sallyport::runner {
namespace {

using journal::kNoItem;
using journal::StepStatus;
using Stage = OpenRun::Stage;

constexpr std::string_view kWait = "wait.for@1";
constexpr std::string_view kLog = "log.write@1";

std::chrono::milliseconds length_of(const Value* duration) {
  const Duration length = duration->as_duration();
  return std::chrono::milliseconds(length.seconds * 1'000 + length.nanos / 1'000'000);
}

// Takes up to a fifth off, so that jobs that failed together do not all come back together; the same after a restart.
std::chrono::milliseconds spread(std::chrono::milliseconds delay, const std::string& key, std::uint32_t attempt) {
  const auto digit = static_cast<std::int64_t>(static_cast<unsigned char>(key[attempt % key.size()]) % 16);
  return delay - delay * digit / 80;
}

const StepError kDoubt{
    {"in_doubt"},
    "it began before an interruption, and nobody can know whether its effect happened: look at the target, then "
    "decide",
    {}};

}  // namespace

bool Execution::Impl::push_runs() {
  bool moved = false;
  std::vector<std::int64_t> open;
  for (const auto& [item, run] : current->runs) open.push_back(item);
  for (const auto item : open) {
    if (!current || !current->runs.contains(item)) return true;
    moved |= push(current->runs.at(item));
  }
  if (!current || !current->loop) return moved;
  moved |= open_items();
  return close_loop() || moved;
}

bool Execution::Impl::push(OpenRun& run) {
  switch (run.stage) {
    case Stage::running: return false;
    case Stage::fresh:
      if (standing == Standing::must_wait) return false;
      launch(run);
      return true;
    case Stage::sleeping: {
      const bool fails_anyway = current->loop && current->loop->first_error();
      if (fails_anyway) return end_run(run.id.item, cut_short(run)), true;
      if (now.steady < run.wake) return false;
      if (!run.durable_wait) return run.stage = Stage::fresh, true;
      end_run(run.id.item, Outcome::success(Value()));
      return true;
    }
  }
  return false;
}

// Begins as many items as may run at one time.
bool Execution::Impl::open_items() {
  bool moved = false;
  while (standing == Standing::may_act && !current->pulling) {
    if (static_cast<std::int64_t>(current->runs.size()) >= current->step->foreach->concurrency) break;
    const auto index = current->loop->next();
    if (!index || !open_item(*index)) break;
    moved = true;
  }
  return moved;
}

// True when another item may be begun after this one.
bool Execution::Impl::open_item(std::int64_t item) {
  auto& loop = *current->loop;
  if (item >= loop.limit()) {
    loop.fail(
        {{"too_large"}, "`foreach` over more than " + std::to_string(loop.limit()) + " items: raise `max_items`", {}});
    return true;
  }
  const auto past = replay.final_of(current->path, item);
  if (!past) {
    loop.fail({{"internal"}, past.error().message, {}});
    return true;
  }
  if (*past) {
    loop.take();
    loop.complete(item, **past);
    return true;
  }
  if (!loop.is_body()) {
    loop.take();
    current->runs.emplace(item, resume(item, loop.item(item)));
    return true;
  }
  current->pulling = item;
  turn.actions.emplace_back(PullItem{current->path, loop.body(), item});
  return false;
}

// A loop that ends early begins no item again, but what was begun before a crash has an end to be told. True when
// there was one.
bool Execution::Impl::say_what_is_open() {
  if (!current->loop || (!ending && !current->loop->first_error())) return false;
  for (const auto item : replay.open_items(current->path)) {
    if (current->loop->has_taken(item) || !told_open.insert({current->path, item}).second) continue;
    current->runs.emplace(item, resume(item, Value()));
    end_run(item, cut_short(current->runs.at(item)));
    return true;
  }
  return false;
}

// The whole foreach ends when all items have, or when one has failed and no other is under way.
bool Execution::Impl::close_loop() {
  auto& loop = *current->loop;
  const bool over = loop.all_complete() || loop.first_error();
  if (!over || !current->runs.empty() || current->pulling) return false;
  if (say_what_is_open()) return true;
  Outcome outcome;
  if (loop.first_error()) {
    const bool doubt = loop.first_error()->error_class() == "in_doubt";
    outcome = {doubt ? StepStatus::in_doubt : StepStatus::failed, Value(), loop.first_error()};
  } else if (auto output = settled(loop.output()); output) {
    outcome = Outcome::success(*std::move(output));
  } else {
    const Value all = loop.output();
    outcome = Outcome::success(
        Value(ValueMap{{"count", *all.find("count")}, {"failed", *all.find("failed")}, {"results", ValueList{}}}));
  }
  current->loop.reset();
  current->runs.emplace(kNoItem, OpenRun{{current->path, kNoItem, 1}, Value()});
  end_run(kNoItem, outcome);
  return true;
}

// The job ends before its time: what runs is waited for, everything else is cut short.
bool Execution::Impl::wind_down() {
  std::vector<std::int64_t> idle;
  for (const auto& [item, run] : current->runs) {
    if (run.stage != Stage::running) idle.push_back(item);
  }
  for (const auto item : idle) {
    if (!current) return true;
    end_run(item, cut_short(current->runs.at(item)));
  }
  if (!current) return true;
  if (!current->runs.empty() || current->pulling) return !idle.empty();
  if (say_what_is_open()) return true;
  current->loop.reset();
  const OpenRun whole{{current->path, kNoItem, 1}, Value()};
  current->runs.emplace(kNoItem, whole);
  end_run(kNoItem, cut_short(whole));
  return true;
}

Outcome Execution::Impl::cut_short(const OpenRun& run) const {
  const auto* action = recipe::find_action(current->step->uses);
  const bool harmless = action != nullptr && action->repeat == recipe::Repeat::safe;
  if (run.doubtful && !harmless) return {StepStatus::in_doubt, Value(), kDoubt};
  StepError error = ending ? ending->error : StepError{{"cancelled"}, "another item failed", {}};
  return {StepStatus::cancelled, Value(), std::move(error)};
}

OpenRun Execution::Impl::resume(std::int64_t item, Value value) const {
  const Past past = replay.past_of(current->path, item);
  OpenRun run{{current->path, item, past.attempt}, std::move(value)};
  run.doubtful = past.doubtful;
  if (!past.wake_at) return run;
  run.stage = Stage::sleeping;
  run.wake = steady_at(*past.wake_at, past.wake_after);
  run.durable_wait = past.doubtful;
  run.doubtful = false;
  return run;
}

// ---------------------------------------------------------------- beginning a run

void Execution::Impl::launch(OpenRun& run) {
  const auto* action = recipe::find_action(current->step->uses);
  auto arguments = arguments_of(run, action);
  if (!arguments) return settle(run, Outcome::failure(std::move(arguments).error()));
  run.label = deep_label(*arguments) | (current->step->mask ? Label::masked : Label::none);
  if (run.doubtful && !settle_doubt(run, action, *arguments)) return;
  if (current->step->uses == kWait) return start_wait(run, *arguments);
  if (current->step->uses == kLog) return write_log(run, *arguments);
  start_action(run, *std::move(arguments));
}

StepResult<void> Execution::Impl::bind_secrets(const recipe::Step& step, expr::Activation& names) const {
  ValueMap secrets;
  for (const auto& use : step.with.uses()) {
    if (use.reference.path.size() < 2 || use.reference.path[0] != "secrets") continue;
    const std::string& name = use.reference.path[1];
    auto secret = ports.secret ? ports.secret(name) : fail(Errc::not_found, "this agent has no secrets for recipes");
    if (!secret) return connectors::step_fail("not_found", "secret `" + name + "`: " + secret.error().message);
    secrets.insert_or_assign(Value(name), Value(secret->reveal()).with_label(Label::secret));
  }
  if (!secrets.empty()) names.bind("secrets", Value(std::move(secrets)));
  return {};
}

StepResult<Value> Execution::Impl::arguments_of(const OpenRun& run, const recipe::ActionInfo* action) const {
  const auto& step = *current->step;
  if (action == nullptr) return connectors::step_fail("not_found", "this agent does not know the action " + step.uses);
  expr::Activation names = contexts.names();
  if (run.id.item != kNoItem) names.bind("item", run.item);
  SP_CHECK(bind_secrets(step, names));
  const auto given = step.with.evaluate(names);
  if (!given) {
    const std::string where = given.error().path.empty() ? "`with`" : "`with." + given.error().path + "`";
    return std::unexpected(invalid_at(where, expr::to_string(given.error().problem)));
  }
  auto bound = recipe::bind_arguments(*action, *given);
  if (!bound) return std::unexpected(invalid_at("`with`", bound.error().front().message));
  return *std::move(bound);
}

// True: run it again with the same key. Otherwise the recipe's word counts, and the run has ended.
bool Execution::Impl::settle_doubt(OpenRun& run, const recipe::ActionInfo* action, const Value& arguments) {
  const auto& step = *current->step;
  if (action->repeat == recipe::Repeat::safe) return true;
  const bool ledger = action->repeat == recipe::Repeat::ledger && ports.keeps_ledger;
  if (ledger && ports.keeps_ledger(step.uses, step.connection, arguments)) return true;
  switch (step.doubt()) {
    case recipe::OnInDoubt::retry: return true;
    case recipe::OnInDoubt::skip:
      report_log(run.id, "warn", "in doubt, and skipped as the recipe says: " + kDoubt.message);
      end_run(run.id.item, Outcome::skipped());
      return false;
    case recipe::OnInDoubt::stop:
    case recipe::OnInDoubt::ask: end_run(run.id.item, {StepStatus::in_doubt, Value(), kDoubt}); return false;
  }
  return false;
}

void Execution::Impl::start_wait(OpenRun& run, const Value& arguments) {
  const auto length = length_of(arguments.find("duration"));
  record_intent(run.id, now.wall + length);
  report_started(run.id, *current->step, shown(arguments));
  run.stage = Stage::sleeping;
  run.durable_wait = true;
  run.wake = now.steady + length;
}

void Execution::Impl::write_log(OpenRun& run, const Value& arguments) {
  const Value text = redacted(arguments.with_label(run.label));
  const std::string line = text.is(Value::Kind::map) ? text.find("text")->as_string() : text.as_string();
  report_log(run.id, arguments.find("level")->as_string(), line);
  end_run(run.id.item, Outcome::success(Value()));
}

void Execution::Impl::start_action(OpenRun& run, Value arguments) {
  record_intent(run.id, std::nullopt);
  if (run.announced) {
    run.announced = false;
  } else if (run.doubtful) {
    report_log(run.id, "warn", "run again after an interruption, with the same idempotency key");
  } else {
    report_started(run.id, *current->step,
                   shown(arguments.with_label(current->step->mask ? Label::masked : Label::none)));
  }
  RunStep action{.run = run.id,
                 .path = path_text(run.id),
                 .uses = current->step->uses,
                 .connection = current->step->connection,
                 .arguments = std::move(arguments),
                 .idempotency_key = idempotency_key(job.id, run.id),
                 .repeated = run.doubtful || run.id.attempt > 1,
                 .time_limit = current->step->time_limit(),
                 .latest = deadline};
  run.stage = Stage::running;
  run.interrupted = false;
  turn.actions.emplace_back(std::move(action));
}

// ---------------------------------------------------------------- ending a run

void Execution::Impl::take(Result result) {
  if (!current) return;
  const auto it = current->runs.find(result.run.item);
  if (it == current->runs.end() || it->second.id != result.run || it->second.stage != Stage::running) return;
  OpenRun& run = it->second;
  if (result.result) {
    auto output = settled(result.result->value);
    settle(run, output ? Outcome::success(output->with_label(run.label)) : Outcome::failure(output.error()));
    return;
  }
  const StepError& error = result.result.error();
  const bool broken_off = error.error_class() == "cancelled";
  notice_ending();
  if (broken_off && ending) return end_run(run.id.item, {StepStatus::cancelled, Value(), ending->error});
  if (broken_off && run.interrupted) {
    run.stage = Stage::fresh;
    run.doubtful = true;
    return;
  }
  settle(run, Outcome::failure(error));
}

void Execution::Impl::take(Pulled pulled) {
  if (!current || !current->loop || current->path != pulled.path || current->pulling != pulled.index) return;
  current->pulling.reset();
  auto& loop = *current->loop;
  notice_ending();
  if (ending || loop.first_error()) return;
  if (!pulled.item) {
    const bool broken_off = pulled.item.error().error_class() == "cancelled" && standing == Standing::must_wait;
    if (broken_off) return;
    auto error = std::move(pulled.item).error();
    error.message.insert(0, "reading item " + std::to_string(pulled.index) + ": ");
    loop.fail(std::move(error));
  } else if (!*pulled.item) {
    loop.end_at(pulled.index);
  } else {
    loop.take();
    current->runs.emplace(pulled.index, resume(pulled.index, loop.labelled(**pulled.item)));
  }
}

void Execution::Impl::settle(OpenRun& run, Outcome outcome) {
  const auto& retry = current->step->retry;
  const bool fails_anyway = ending || (current->loop && current->loop->first_error());
  const bool again = outcome.status == StepStatus::failed && retry && !fails_anyway &&
                     retry->applies(run.id.attempt, outcome.error->classes);
  if (again) return retry_later(run, outcome);
  end_run(run.id.item, outcome);
}

void Execution::Impl::retry_later(OpenRun& run, const Outcome& outcome) {
  const auto delay =
      spread(current->step->retry->delay(run.id.attempt), idempotency_key(job.id, run.id), run.id.attempt);
  const WallTime at = now.wall + delay;
  record_done(run.id, outcome, at);
  report_finished(run.id, outcome, at);
  ++run.id.attempt;
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
  if (moved) turn.changes.push_back(journal::SetProgress{job.id, loop.progress_at(current->path), kKeptResults});
}

}  // namespace sallyport::runner
