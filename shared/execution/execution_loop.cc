#include "shared/base/text.h"
#include "shared/execution/execution_impl.h"

#include <utility>

namespace sallyport::execution {
namespace {

using Stage = OpenRun::Stage;

StepError no_worker(std::chrono::milliseconds limit) {
  return {{"timeout"},
          "it did not begin: all workers of the agent were busy for " + format_duration(limit) +
              " (`timeout`); `limits.worker_threads` of the agent is how many steps run at one time",
          {}};
}

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
  const bool fails_anyway = current->loop && current->loop->first_error();
  if (fails_anyway && run.stage != Stage::running) return end_run(run.id.item, cut_short(run)), true;
  switch (run.stage) {
    case Stage::running: return false;
    case Stage::fresh: return start(run);
    case Stage::sleeping:
      if (now.steady < run.wake) return false;
      if (!run.durable_wait) return run.stage = Stage::fresh, true;
      end_run(run.id.item, Outcome::success(Value()));
      return true;
  }
  return false;
}

bool Execution::Impl::start(OpenRun& run) {
  if (standing == Standing::must_wait) return run.give_up.reset(), false;
  if (!has_worker()) return wait_for_worker(run);
  run.give_up.reset();
  tell_loop();
  launch(run);
  return true;
}

// What was not begun here has done nothing; of what was begun before that cannot be said, and it goes on waiting.
bool Execution::Impl::wait_for_worker(OpenRun& run) {
  const auto& limit = current->step->timeout;
  if (!limit || run.doubtful) return false;
  if (!run.give_up) run.give_up = now.steady + *limit;
  if (now.steady < *run.give_up) return false;
  run.give_up.reset();
  settle(run, Outcome::failure(no_worker(*limit)));
  return true;
}

// With its first item, not while that waits for a worker.
void Execution::Impl::tell_loop() {
  if (!current->loop || std::exchange(current->loop_told, true)) return;
  OpenRun whole{{current->path, kNoItem, 1}, Value()};
  record_intent(intent_of(whole.id));
  report_started(whole, "");
}

// Begins as many items as may run at one time.
bool Execution::Impl::open_items() {
  bool moved = false;
  while (standing == Standing::may_act && !current->reading.item) {
    if (static_cast<std::int64_t>(current->runs.size()) >= current->loop->concurrency()) break;
    const auto index = current->loop->next();
    if (!index || !open_item(*index)) break;
    moved = true;
  }
  return moved;
}

// True when another item may be begun after this one.
bool Execution::Impl::open_item(std::int64_t item) {
  auto& loop = *current->loop;
  const auto past = replay.final_of(current->path, item);
  if (!past) {
    loop.fail({{"internal"}, past.error().message, {}});
    return true;
  }
  if (*past) {
    loop.take();
    loop.complete(item, recalled(*current->step, {current->path, item, 1}, **past));
    return true;
  }
  if (!loop.is_body()) {
    loop.take();
    current->runs.emplace(item, resume(item, loop.item(item)));
    return true;
  }
  read_item(item);
  return false;
}

void Execution::Impl::read_item(std::int64_t item) {
  auto& reading = current->reading;
  if (now.steady < reading.not_before || !takes_worker()) return;  // also for an action that needs none
  tell_loop();
  reading.item = item;
  reading.interrupted = false;
  turn.actions.emplace_back(PullItem{current->path, current->loop->body(), item, stop_first()});
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

// Without results when some are gone: nobody is to take what is left of them for all there was.
Outcome Execution::Impl::loop_outcome(const Value& output) const {
  const auto mask = recipe::output_mask(*current->step, recipe::OutputOf::loop);
  if (current->loop->results_unknown()) {
    const Value known = recipe::Mask{.everything = true, .paths = {}}.under("results").without(output);
    Outcome outcome = Outcome::success(mask.labelled(known));
    outcome.unknown = Unknown::results;
    outcome.plan = Plan::planned;
    return outcome;
  }
  if (!current->loop->results_lost()) return Outcome::success(mask.labelled(output));
  Outcome outcome = Outcome::success(recipe::Mask{.everything = true, .paths = {}}.under("results").without(output));
  outcome.parts_lost = true;
  return outcome;
}

// The whole foreach ends when all items have, or when one has failed and no other is under way.
bool Execution::Impl::close_loop() {
  auto& loop = *current->loop;
  const auto& error = loop.first_error();
  const bool over = loop.all_complete() || error;
  if (!over || !current->runs.empty() || current->reading.item) return false;
  if (say_what_is_open()) return true;
  if (!error) tell_loop();
  Outcome outcome;
  if (error) {
    const bool doubtful = error->error_class() == "in_doubt";
    turn.forget.push_back({current->path, kNoItem, 1});
    outcome = {doubtful ? StepStatus::in_doubt : StepStatus::failed, Value(), error};
  } else if (const auto output = settled(loop.output(), loop.results_label()); output) {
    outcome = loop_outcome(*output);
  } else {
    const Value all = loop.output();
    turn.forget.push_back({current->path, kNoItem, 1});
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
  if (!current->runs.empty() || current->reading.item) return !idle.empty();
  if (say_what_is_open()) return true;
  const OpenRun whole{{current->path, kNoItem, 1}, Value()};
  Outcome outcome = cut_short(whole);
  if (const auto error = current->loop ? current->loop->first_error() : std::nullopt;
      error && error->error_class() == "in_doubt")
    outcome = {StepStatus::in_doubt, Value(), error};
  current->loop.reset();
  current->runs.emplace(kNoItem, whole);
  end_run(kNoItem, outcome);
  return true;
}

Outcome Execution::Impl::cut_short(const OpenRun& run) const {
  if (run.told_doubt || (run.doubtful && !is_harmless(recipe::find_action(current->step->uses)))) {
    StepError why = run.told_doubt.value_or(doubt());
    if (ending) why.message += "; " + ending->error.message;
    return {StepStatus::in_doubt, Value(), std::move(why)};
  }
  StepError error = ending ? ending->error : StepError{{"cancelled"}, "another item failed", {}};
  return {StepStatus::cancelled, Value(), std::move(error)};
}

}  // namespace sallyport::execution
