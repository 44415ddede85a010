#include "tests/sim/runner/history.h"

#include "shared/recipe/catalogue.h"
#include "shared/recipe/loader.h"
#include "tests/sim/runner/recipe_maker.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::sim {
namespace {

using namespace std::chrono_literals;
using execution::RunStep;

constexpr int kMaxTurns = 20'000;
constexpr int kMeddlingTurns = 600;
constexpr std::int64_t kRows = 130;  // beyond the items that keep their records

bool is_guarded(const RunStep& step, const recipe::Recipe& recipe) {  // nobody may begin the same attempt twice
  const auto* action = recipe::find_action(step.uses);
  const auto dot = step.run.path.find('.');
  const auto* found = recipe.find_step(dot == std::string::npos ? step.run.path : step.run.path.substr(dot + 1));
  return action->repeat == recipe::Repeat::unknown && found->doubt() != recipe::OnInDoubt::retry;
}

}  // namespace

History::History(std::uint64_t seed, Planted planted) : dice_(seed), planted_(planted) {
  text_ = make_recipe(dice_);
  auto loaded = recipe::load_recipe(text_);
  if (!loaded) {
    violation_ = "the recipe maker made a bad recipe: " + loaded.error().front().message;
    return;
  }
  recipe_ = std::make_shared<const recipe::Recipe>(*std::move(loaded));
  now_ = {SteadyTime(1h), from_unix_ms(1'700'000'000'000)};
  disk_.job.id = JobId("job_" + std::to_string(seed));
  disk_.job.epoch = 1;
  disk_.job.accepted_at = now_.wall;
  disk_.job.trigger_json = R"({"inputs":{"file":{"$handle":"file","path":"x"}}})";
  start_process();
}

void History::broken(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

void History::start_process() {
  execution::ExecutionPorts ports;
  ports.keeps_ledger = [](std::string_view, std::string_view, const Value&) { return true; };
  ports.worker = [this] {
    const bool busy = meddling_ && dice_.one_in(6);
    no_worker_ |= busy;
    return !busy;
  };
  auto seen = disk_;
  if (planted_ == Planted::doubt_taken_as_fresh) seen.intents.clear();
  machine_.emplace(recipe_, std::move(seen), execution::AgentFacts{"a"}, std::move(ports), now_);
  machine_->set_standing(leased_ ? execution::Standing::may_act : execution::Standing::must_wait);
  if (cancelled_) machine_->cancel("asked");
}

// What was under way may or may not have had its effect; nobody will ever say.
void History::crash() {
  ++crashes_;
  for (const auto& intent : disk_.intents) {
    if (!is_ended(intent.run)) broken_off_.insert(execution::path_text(intent.run));
  }
  in_flight_.clear();
  pulls_.clear();
  if (planted_ == Planted::done_lost_in_crash && last_done_) {
    std::erase_if(disk_.done, [&](const auto& done) { return done.run == last_done_->done.run; });
  }
  if (dice_.one_in(4)) now_.wall += std::chrono::hours(dice_.below(5)) - 2h;
  now_.steady += std::chrono::seconds(dice_.below(600));
  start_process();
}

std::string History::run() {
  for (int turn = 0; turn < kMaxTurns && violation_.empty() && !ended_on_disk_; ++turn) {
    meddling_ = turn < kMeddlingTurns;
    if (!meddling_ && !leased_) {
      leased_ = true;
      machine_->set_standing(execution::Standing::may_act);
    }
    one_turn();
  }
  if (violation_.empty() && !ended_on_disk_) broken("the job does not end");
  if (violation_.empty()) check_the_end();
  return violation_;
}

void History::one_turn() {
  no_worker_ = false;
  execution::Turn turn = machine_->next(now_);
  if (planted_ == Planted::begun_without_worker && !turn.actions.empty() && dice_.one_in(20)) turn.actions.pop_back();
  check_begun(turn);
  if (planted_ == Planted::act_before_intent) {
    for (const auto& action : turn.actions) begin(action);
  }
  if (!commit(turn)) return crash();
  if (turn.finished) return;
  if (meddling_ && dice_.one_in(40)) return crash();  // on the disk, but nothing begun
  if (planted_ != Planted::act_before_intent) {
    for (const auto& action : turn.actions) begin(action);
  }
  if (turn.interrupt && !in_flight_.empty() && dice_.one_in(2)) {
    machine_->on_step_result(in_flight_.back().step.run, execution::step_fail("cancelled", "stopped"));
    in_flight_.pop_back();
    return;
  }
  if (meddling_ && meddle()) return;
  if (!in_flight_.empty() || !pulls_.empty()) return deliver();
  if (turn.actions.empty() && turn.changes.empty()) pass_time(no_worker_ ? now_.steady + 1s : turn.wake);
}

// What is recorded or told as begun begins in this very turn.
void History::check_begun(const execution::Turn& turn) {
  for (const auto& change : turn.changes) {
    const auto* intent = std::get_if<execution::AddIntent>(&change);
    if (intent == nullptr) continue;
    const auto& run = intent->intent.run;
    const auto* step = recipe_->find_step(run.path.substr(run.path.find('.') + 1));
    const bool waits = step->uses == "wait.for@1";
    const bool whole = step->foreach && run.item == execution::kNoItem;
    const bool begins = std::ranges::any_of(turn.actions, [&](const auto& action) {
      const auto* one = std::get_if<RunStep>(&action);
      return one != nullptr && one->run == run;
    });
    if (!waits && !whole && !begins) broken("recorded as begun, but nothing began: " + execution::path_text(run));
  }
}

// The disk takes all of a turn or nothing; sometimes the process dies before it does.
bool History::commit(const execution::Turn& turn) {
  if (meddling_ && dice_.one_in(50)) return false;
  for (const auto& change : turn.changes) apply(change);
  for (const auto& body : turn.reports) note(body);
  return true;
}

void History::apply(const execution::Change& change) {
  if (ended_on_disk_) broken("something was written after the job's end");
  if (const auto* intent = std::get_if<execution::AddIntent>(&change)) {
    std::erase_if(disk_.intents, [&](const auto& one) { return one.run == intent->intent.run; });
    disk_.intents.push_back(intent->intent);
  } else if (const auto* done = std::get_if<execution::AddDone>(&change)) {
    if (is_ended(done->done.run)) broken("ended twice: " + execution::path_text(done->done.run));
    disk_.done.push_back(done->done);
    last_done_ = *done;
  } else if (const auto* progress = std::get_if<execution::SetProgress>(&change)) {
    const auto& at = progress->progress;
    const auto below = [&](const auto& one, std::int64_t from) {
      return one.run.path == at.path && one.run.item >= from && one.run.item < at.next_item;
    };
    std::erase_if(disk_.intents, [&](const auto& one) { return below(one, 0); });
    std::erase_if(disk_.done, [&](const auto& one) { return below(one, progress->keep); });
    std::erase_if(disk_.progress, [&](const auto& one) { return one.path == at.path; });
    disk_.progress.push_back(at);
  } else if (std::holds_alternative<execution::EndJob>(change)) {
    ended_on_disk_ = true;
  }
}

bool History::is_ended(const execution::StepRun& run) const {
  const bool done = std::ranges::any_of(disk_.done, [&](const auto& one) {
    return one.run.path == run.path && one.run.item == run.item && (!one.retry_at || one.run.attempt >= run.attempt);
  });
  const bool passed = run.item >= 0 && std::ranges::any_of(disk_.progress, [&](const auto& one) {
                        return one.path == run.path && run.item < one.next_item;
                      });
  return done || passed;
}

void History::note(const execution::report::Body& body) {
  if (job_end_) broken("a report after the job's end");
  std::string line;
  if (const auto* started = std::get_if<execution::report::StepStarted>(&body)) {
    line = fmt::format("started {}#{}", started->path, started->attempt);
  } else if (const auto* finished = std::get_if<execution::report::StepFinished>(&body)) {
    line = fmt::format("finished {}#{}", finished->path, finished->attempt);
  } else if (const auto* end = std::get_if<execution::report::JobFinished>(&body)) {
    job_end_ = end->status;
  }
  if (!line.empty() && !told_.insert(line).second) broken("told twice: " + line);
}

void History::begin(const execution::Action& action) {
  if (!leased_) broken("something began without a lease");
  if (const auto* pull = std::get_if<execution::PullItem>(&action)) {
    pulls_.push_back(*pull);
    return;
  }
  const auto& step = std::get<RunStep>(action);
  const std::string run = fmt::format("{}#{}", step.path, step.run.attempt);
  if (is_ended(step.run)) broken("a completed step began again: " + run);
  const bool intended = std::ranges::any_of(disk_.intents, [&](const auto& one) { return one.run == step.run; });
  if (!intended) broken("began without an intent on the disk: " + run);
  if (begun_[run]++ > 0 && is_guarded(step, *recipe_)) broken("repeated in silence: " + run);
  const bool repeated = step.repeated && planted_ != Planted::doubt_forgotten;
  if (broken_off_.contains(step.path) && !repeated) broken("not told of a run that was broken off: " + run);
  const bool may_be = broken_off_.contains(step.path) || shaken_.contains(step.path);
  if (repeated && !may_be) broken("told of a run that was broken off, and there was none: " + run);
  const auto [known, fresh] = key_of_.emplace(step.path, step.idempotency_key);
  if (known->second != step.idempotency_key) broken("another key for the same step run: " + run);
  if (fresh && !keys_.insert(step.idempotency_key).second) broken("one key for two step runs: " + run);
  in_flight_.push_back({step});
}

execution::StepResult<execution::Output> History::roll(const RunStep& step) {
  if (step.uses == "csv.read@1") {
    return execution::Output{Value(ValueMap{{"rows", Handle{"rows", {}}}, {"batches", Handle{"rows", {}}}})};
  }
  if (meddling_ && dice_.one_in(5)) {
    return execution::step_fail(dice_.pick<std::string>({"connection", "timeout", "constraint", "cancelled"}),
                                "bad luck");
  }
  return execution::Output{Value(ValueMap{{"path", step.path}})};
}

execution::StepResult<std::optional<Value>> History::read(const execution::PullItem& pull) {
  if (meddling_ && dice_.one_in(15)) return execution::step_fail("connection", "bad luck with the share");
  if (pull.index >= kRows) return std::optional<Value>();
  return std::optional(Value(pull.index));
}

// One of the things under way comes to its end, in any order.
void History::deliver() {
  if (!pulls_.empty() && (in_flight_.empty() || dice_.one_in(2))) {
    const auto pull = pulls_.back();
    pulls_.pop_back();
    machine_->on_item(pull.path, pull.index, read(pull));
    return;
  }
  const std::size_t chosen = dice_.below(in_flight_.size());
  const RunStep step = in_flight_[chosen].step;
  in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(chosen));
  now_.steady += 50ms;
  now_.wall += 50ms;
  machine_->on_step_result(step.run, roll(step));
}

// True when it changed something that the machine has to look at before time passes.
bool History::meddle() {
  if (dice_.one_in(30)) return crash(), true;
  if (dice_.one_in(25)) return turn_lease(), true;
  if (!dice_.one_in(400)) return false;
  cancelled_ = true;
  disk_.cancel_reason = "asked";
  machine_->cancel("asked");
  return true;
}

void History::turn_lease() {
  leased_ = !leased_;
  const bool told = leased_ || planted_ != Planted::act_without_lease;
  if (told) machine_->set_standing(leased_ ? execution::Standing::may_act : execution::Standing::must_wait);
  if (!leased_) {
    for (const auto& one : in_flight_) shaken_.insert(one.step.path);
  }
  if (leased_ || dice_.one_in(2)) return;
  for (const auto& one : in_flight_) {  // the engine interrupts what runs
    broken_off_.insert(one.step.path);
    machine_->on_step_result(one.step.run, execution::step_fail("cancelled", "lease"));
  }
  in_flight_.clear();
}

void History::pass_time(std::optional<SteadyTime> wake) {
  if (!wake) {
    if (leased_) broken("nothing to do, and no end");
    return;
  }
  const auto wait =
      std::max(std::chrono::ceil<std::chrono::milliseconds>(*wake - now_.steady), std::chrono::milliseconds(0));
  now_.steady += wait;
  now_.wall += wait;
}

// Whatever began has an end that was told, and the job's end is one.
void History::check_the_end() {
  if (!job_end_) return broken("the job ended without a word");
  for (const auto& [run, count] : begun_) {
    if (!told_.contains("started " + run)) broken("began untold: " + run);
    if (!told_.contains("finished " + run)) broken("its end was never told: " + run);
  }
  if (*job_end_ != "succeeded") return;
  const bool stops = std::ranges::any_of(recipe_->steps, [](const auto& step) { return step.stop.has_value(); });
  for (const auto& step : recipe_->steps) {
    if (!stops && !told_.contains("finished " + step.id + "#1")) broken("succeeded without step " + step.id);
  }
}

}  // namespace sallyport::sim
