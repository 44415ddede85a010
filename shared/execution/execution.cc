#include "shared/execution/execution.h"

#include "shared/base/json.h"
#include "shared/base/text.h"
#include "shared/execution/execution_impl.h"

#include <algorithm>

namespace sallyport::execution {
namespace {

constexpr std::size_t kMaxChanges = 256;  // of one turn; the rest comes with the next
constexpr auto kOnFailureLimit = std::chrono::minutes(15);
constexpr expr::EvalLimits kCarryOnly{.secrets = expr::SecretUse::carry_only};
constexpr auto kStopFirst = std::chrono::seconds(1);

Value trigger_of(const Job& job) { return parse_stored_json(job.trigger_json).value_or(Value()); }

// What is left of the job's time. A clock that jumped can only shorten it, never stretch it.
SteadyTime job_deadline(const recipe::Recipe& recipe, const StoredJob& stored, Now now) {
  WallTime began = now.wall;
  for (const auto& intent : stored.intents) began = std::min(began, intent.at);
  for (const auto& done : stored.done) began = std::min(began, done.at);
  const auto used = std::clamp(now.wall - began, std::chrono::milliseconds(0), recipe.time_limit());
  return now.steady + (recipe.time_limit() - used);
}

StepError stopped(const recipe::Stop& stop, const expr::Activation& names) {
  std::string message = "stopped by the recipe";
  if (stop.message) {
    const auto value = stop.message->evaluate(names, kCarryOnly);
    const bool tells = value && !has(deep_label(*value), Label::secret);
    if (tells) message = value->is(Value::Kind::string) ? redacted(*value).as_string() : shown(*value);
  }
  return {{"stop"}, std::move(message), {}};
}

}  // namespace

StepError invalid_at(std::string_view where, const std::string& what) {
  return {{"invalid"}, std::string(where) + ": " + what, {}};
}

namespace {

// What runs, and how often, is told to everybody who reads the job: a secret may not decide it, nor whether deciding it
// fails.
StepError secret_decides(std::string_view where) {
  return invalid_at(where, "may not depend on a secret: which steps ran, and how often, stands in the job's history");
}

// Of everything that the expression names: what may have made it fail.
Label label_of_names(const expr::Program& program, const expr::Activation& names) {
  Label label = Label::none;
  for (const auto& reference : program.references()) {
    const Value* value = names.find(reference.path.front());
    for (std::size_t i = 1; value != nullptr && i < reference.path.size(); ++i) {
      label = label | value->label();
      value = value->find(reference.path[i]);
    }
    if (value != nullptr) label = label | deep_label(*value);
  }
  return label;
}

}  // namespace

Execution::Impl::Impl(std::shared_ptr<const recipe::Recipe> given, StoredJob stored, const AgentFacts& agent,
                      ExecutionPorts asked, Now at)
    : recipe(std::move(given)),
      job(stored.job),
      ports(std::move(asked)),
      replay(stored),
      memory(ports.memory ? ports.memory : std::make_shared<JobMemory>()),
      contexts(*recipe, job, agent, trigger_of(job)),
      now(at),
      deadline(job_deadline(*recipe, stored, at)),
      cancel_reason(std::move(stored.cancel_reason)) {}

Turn Execution::Impl::next(Now at) {
  now = at;
  turn = {};
  while (!inbox.empty()) {
    auto message = std::move(inbox.front());
    inbox.pop_front();
    std::visit([this](auto& one) { take(std::move(one)); }, message);
  }
  while (phase != Phase::over && turn.changes.size() < kMaxChanges && advance()) {
  }
  if (phase != Phase::over) {
    turn.interrupt = ending != nullptr;
    turn.wake = turn.changes.size() >= kMaxChanges ? now.steady : earliest_wake();
  }
  return std::move(turn);
}

// One small move; false when there is nothing to do before something happens.
bool Execution::Impl::advance() {
  if (!current) return begin_next();
  notice_ending();
  return ending ? wind_down() : push_runs();
}

void Execution::Impl::notice_ending() {
  if (ending) return;
  if (cancel_reason) {
    ending = std::make_unique<Ending>(Ending{JobStatus::cancelled, {{"cancelled"}, *cancel_reason, {}}, {}});
  } else if (now.steady >= deadline) {
    ending = std::make_unique<Ending>(over_time());
  }
}

Ending Execution::Impl::over_time() const {
  const std::string limit = phase == Phase::steps ? format_duration(recipe->time_limit()) + " (`timeout`)"
                                                  : format_duration(kOnFailureLimit) + " for `on_failure`";
  return {JobStatus::timed_out, {{"timeout"}, "the job took longer than its time limit of " + limit, {}}, {}};
}

// Of what runs: the job's end interrupts it, its own deadline comes after that. Both at one instant would let chance
// say what happened.
SteadyTime Execution::Impl::stop_first() const { return deadline + kStopFirst; }

bool Execution::Impl::begin_next() {
  const auto& list = phase == Phase::steps ? recipe->steps : recipe->on_failure;
  if (index == list.size()) {
    if (failure) {
      finish_as_failed();
    } else {
      finish(JobStatus::succeeded, {{""}, "", {}}, "");
    }
    return true;
  }
  const auto& step = list[index];
  const std::string path = phase == Phase::steps ? step.id : "on_failure." + step.id;
  const auto past = replay.final_of(path, kNoItem);
  if (!past) {
    fail_job({JobStatus::failed, {{"internal"}, past.error().message, {}}, path});
    return true;
  }
  if (*past) {
    const auto outcome = recalled(step, {path, kNoItem, 1}, **past);
    if (!is_read_again(step, outcome)) return adopt(step, path, outcome);
  }
  notice_ending();
  if (ending) {
    break_off(step, path);
    return true;
  }
  if (standing == Standing::must_wait) return false;
  begin(step, path);
  return true;
}

// What the journal says, completed by what this process still knows.
Outcome Execution::Impl::recalled(const recipe::Step& step, const StepRun& run, Outcome outcome) const {
  if (const Outcome* kept = memory->outcome_of(run.path, run.item)) {
    outcome = *kept;
  } else if (outcome.told) {
    return without_masked(std::move(outcome), mask_of(step, run));
  }
  return outcome;
}

// What it gave was masked, is needed, and can be had again without any effect.
bool Execution::Impl::is_read_again(const recipe::Step& step, const Outcome& outcome) const {
  const auto* action = recipe::find_action(step.uses);
  const bool lost = outcome.status == StepStatus::succeeded && (outcome.output_lost || outcome.parts_lost);
  return lost && !step.foreach && action != nullptr && action->effect != recipe::Effect::write && is_harmless(action) &&
         recipe->may_name_output(step.id);
}

StepResult<void> Execution::Impl::nothing_missing(std::string_view where,
                                                  std::span<const expr::Reference> references) const {
  if (const auto planned = contexts.unknown(references)) {
    return step_fail("output_unknown", std::string(where) + ": what step " + *planned +
                                           " would give is not known: a dry run only plans that step");
  }
  const auto step = contexts.lost(references);
  if (!step) return {};
  return step_fail("output_lost", std::string(where) + ": what step " + *step +
                                      " gave is masked: it was only in memory, and the agent that had it "
                                      "was stopped or lost since");
}

// Takes over what the journal says, without a word to anybody: it was all said before.
bool Execution::Impl::adopt(const recipe::Step& step, const std::string& path, const Outcome& outcome) {
  if (step.stop && outcome.status == StepStatus::succeeded) {
    contexts.set_step(step.id, outcome, {});
    stop_here(*step.stop, path);
  } else {
    conclude(step, path, outcome);
  }
  return true;
}

// The job ends before this step could go on. What it began before a crash is taken up, so that no doubt goes unsaid.
void Execution::Impl::break_off(const recipe::Step& step, const std::string& path) {
  const bool may_have_begun = !is_dry() && job.held_before && !step.stop && wanted(step, path).value_or(true);
  if (!replay.began(path, kNoItem) && !may_have_begun)
    return conclude(step, path, {StepStatus::cancelled, Value(), ending->error});
  current = std::make_unique<CurrentStep>(CurrentStep{.step = &step, .path = path});
  if (step.foreach) return begin_loop(*step.foreach, path);
  current->runs.emplace(kNoItem, resume(kNoItem, Value()));
}

StepResult<bool> Execution::Impl::wanted(const recipe::Step& step, const std::string& path) const {
  if (!step.condition || replay.began(path, kNoItem)) return true;
  SP_CHECK(nothing_missing("`if`", step.condition->program.references()));
  const auto value = expr::evaluate(step.condition->program, contexts.names(), kCarryOnly);
  const Label label = value ? value->label() : label_of_names(step.condition->program, contexts.names());
  if (has(label, Label::secret)) return std::unexpected(secret_decides("`if`"));
  if (!value) return std::unexpected(invalid_at("`if`", expr::to_string(value.error())));
  if (!value->is(Value::Kind::boolean)) return std::unexpected(invalid_at("`if`", "must give true or false"));
  return value->as_bool();
}

void Execution::Impl::begin(const recipe::Step& step, const std::string& path) {
  current = std::make_unique<CurrentStep>(CurrentStep{.step = &step, .path = path});
  const auto run = wanted(step, path);
  if (!run) {
    report_started(current->runs.emplace(kNoItem, OpenRun{{path, kNoItem, 1}, Value()}).first->second, "");
    end_run(kNoItem, Outcome::failure(run.error()));
  } else if (!*run) {
    current->runs.emplace(kNoItem, OpenRun{{path, kNoItem, 1}, Value()});
    end_run(kNoItem, Outcome::skipped());
  } else if (step.stop) {
    auto& stop = current->runs.emplace(kNoItem, OpenRun{{path, kNoItem, 1}, Value()}).first->second;
    report_started(stop, "");
    record_done(stop.id, Outcome::success(Value()), std::nullopt);
    report_finished(stop.id, Outcome::success(Value()), std::nullopt);
    stop_here(*step.stop, path);
  } else if (step.foreach) {
    begin_loop(*step.foreach, path);
  } else {
    current->runs.emplace(kNoItem, resume(kNoItem, Value()));
  }
}

StepResult<Value> Execution::Impl::over_what(const recipe::Foreach& foreach) const {
  SP_CHECK(nothing_missing("`foreach`", foreach.over.program.references()));
  auto source = expr::evaluate(foreach.over.program, contexts.names(), kCarryOnly);
  const Label label = source ? source->label() : label_of_names(foreach.over.program, contexts.names());
  if (has(label, Label::secret)) return std::unexpected(secret_decides("`foreach`"));
  if (!source) return std::unexpected(invalid_at("`foreach`", expr::to_string(source.error())));
  return *std::move(source);
}

void Execution::Impl::begin_loop(const recipe::Foreach& foreach, const std::string& path) {
  OpenRun whole{{path, kNoItem, 1}, Value()};
  whole.started = replay.began(path, kNoItem);
  const auto fail_whole = [&](StepError error) {
    report_started(whole, "");
    current->runs.emplace(kNoItem, whole);
    end_run(kNoItem, Outcome::failure(std::move(error)));
  };
  const auto source = over_what(foreach);
  if (!source) return fail_whole(source.error());
  auto loop = ForeachState::over(*source, foreach, replay.progress_of(path));
  if (!loop) return fail_whole(loop.error());
  current->loop = std::make_unique<ForeachState>(*std::move(loop));
  current->loop_told = replay.began(path, kNoItem);
  current->results_named = recipe->may_name_results(current->step->id);
  recall_results(path);
}

// The first results, of items that are passed over because the saved progress says so.
void Execution::Impl::recall_results(const std::string& path) {
  for (std::int64_t item = 0; item < kKeptResults && current->loop->has_taken(item); ++item) {
    const auto past = replay.final_of(path, item);
    if (past && *past) current->loop->remember(item, recalled(*current->step, {path, item, 1}, **past));
  }
}

void Execution::Impl::stop_here(const recipe::Stop& stop, const std::string& path) {
  current.reset();
  const StepError why = stopped(stop, contexts.names());
  switch (stop.status) {
    case recipe::StopStatus::succeeded: return finish(JobStatus::succeeded, {{""}, why.message, {}}, "");
    case recipe::StopStatus::cancelled: return finish(JobStatus::cancelled, why, path);
    case recipe::StopStatus::failed: return fail_job({JobStatus::failed, why, path});
  }
}

// A step has ended: on to the next one, or to the job's end.
void Execution::Impl::conclude(const recipe::Step& step, const std::string& path, const Outcome& outcome) {
  contexts.set_step(step.id, outcome, mask_of(step, {path, kNoItem, 1}));
  current.reset();
  const bool carries_on = outcome.status == StepStatus::failed && step.failure() == recipe::OnFailure::go_on;
  if (outcome.status == StepStatus::succeeded || outcome.status == StepStatus::skipped || carries_on) {
    ++index;
    return;
  }
  const StepError error = outcome.error.value_or(StepError{{"internal"}, "failed", {}});
  if (failure) return finish_as_failed();
  notice_ending();
  // A failure whose handling began before the cancel stays one, and what its handling began is brought to an end.
  const bool handled = phase == Phase::steps && replay.began_below("on_failure.");
  const bool by_request = ending && ending->status == JobStatus::cancelled && !handled;
  const bool asks = outcome.status == StepStatus::in_doubt && step.doubt() == recipe::OnInDoubt::ask;
  if (by_request && !asks) return finish(JobStatus::cancelled, ending->error, path);
  if (outcome.status == StepStatus::cancelled) {
    Ending late = over_time();
    late.step = path;
    return fail_job(std::move(late));
  }
  if (asks) return finish(JobStatus::in_doubt, error, path);
  fail_job({JobStatus::failed, error, path});
}

void Execution::Impl::fail_job(Ending why) {
  current.reset();
  ending.reset();
  failure = std::make_unique<Ending>(std::move(why));
  if (phase == Phase::on_failure || recipe->on_failure.empty()) return finish_as_failed();
  phase = Phase::on_failure;
  index = 0;
  deadline = now.steady + kOnFailureLimit;
  contexts.set_error(failure->step, failure->error);
}

void Execution::Impl::finish_as_failed() { finish(failure->status, failure->error, failure->step); }

void Execution::Impl::finish(JobStatus status, const StepError& error, const std::string& step) {
  current.reset();
  phase = Phase::over;
  turn.changes.push_back(EndJob{job.id, now.wall});
  report_job(status, error, step);
  turn.finished = status;
}

std::optional<SteadyTime> Execution::Impl::earliest_wake() const {
  SteadyTime first = deadline;
  if (ending) first = SteadyTime::max();
  if (current) {
    if (!ending && now.steady < current->reading.not_before) first = std::min(first, current->reading.not_before);
    for (const auto& [item, run] : current->runs) {
      if (run.stage == OpenRun::Stage::sleeping) first = std::min(first, run.wake);
      if (run.stage == OpenRun::Stage::fresh) first = std::min(first, run.give_up.value_or(SteadyTime::max()));
    }
  }
  if (first == SteadyTime::max()) return std::nullopt;
  return first;
}

// ---------------------------------------------------------------- the outside

Execution::Execution(std::shared_ptr<const recipe::Recipe> recipe, StoredJob stored, const AgentFacts& agent,
                     ExecutionPorts ports, Now now)
    : impl_(std::make_unique<Impl>(std::move(recipe), std::move(stored), agent, std::move(ports), now)) {}
Execution::~Execution() = default;
Execution::Execution(Execution&&) noexcept = default;

Turn Execution::next(Now now) { return impl_->next(now); }

void Execution::on_step_result(const StepRun& run, StepResult<Output> result) {
  impl_->inbox.emplace_back(Impl::Result{run, std::move(result)});
}

void Execution::on_not_begun(const StepRun& run) {
  if (!impl_->current) return;
  const auto it = impl_->current->runs.find(run.item);
  if (it == impl_->current->runs.end() || it->second.id != run) return;
  it->second.stage = OpenRun::Stage::fresh;
  it->second.announced = true;
}

void Execution::on_item(const std::string& path, std::int64_t index, StepResult<std::optional<Value>> item) {
  impl_->inbox.emplace_back(Impl::Pulled{path, index, std::move(item)});
}

void Execution::cancel(std::string reason) {
  if (!impl_->cancel_reason) impl_->cancel_reason = std::move(reason);
}

void Execution::set_standing(Standing standing) {
  impl_->standing = standing;
  if (standing == Standing::may_act || !impl_->current) return;
  impl_->current->reading.interrupted = impl_->current->reading.item.has_value();
  for (auto& [item, run] : impl_->current->runs) run.interrupted |= run.stage == OpenRun::Stage::running;
}

}  // namespace sallyport::execution
