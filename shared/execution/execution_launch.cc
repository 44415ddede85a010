#include "shared/execution/execution_impl.h"

namespace sallyport::execution {
namespace {

using Stage = OpenRun::Stage;

constexpr std::string_view kWait = "wait.for@1";
constexpr std::string_view kLog = "log.write@1";
constexpr std::uint32_t kMostDoubts = 8;  // that an action may tell of one attempt before the recipe decides

std::chrono::milliseconds length_of(const Value* duration) {
  const Duration length = duration->as_duration();
  return std::chrono::milliseconds(length.seconds * 1'000 + length.nanos / 1'000'000);
}

}  // namespace

OpenRun Execution::Impl::resume(std::int64_t item, Value value) const {
  const Past past = replay.past_of(current->path, item);
  OpenRun run{{current->path, item, past.attempt}, std::move(value)};
  run.doubtful = past.doubtful || (job.held_before && !replay.began(current->path, item));
  run.started = past.doubtful;  // its intent is in the journal since then
  run.ledger = past.ledger;
  run.repeated = past.doubted;
  if (!past.wake_at) return run;
  if (past.doubted && !is_harmless(recipe::find_action(current->step->uses))) run.told_doubt = doubt();
  run.stage = Stage::sleeping;
  run.wake = steady_at(*past.wake_at, past.wake_after);
  run.durable_wait = past.doubtful;
  run.doubtful = false;
  return run;
}

bool Execution::Impl::is_harmless(const recipe::ActionInfo* action) const {
  return is_dry() || (action != nullptr && action->repeat == recipe::Repeat::safe);
}

bool Execution::Impl::takes_worker() const { return !ports.worker || ports.worker(); }

bool Execution::Impl::has_worker() const { return recipe::needs_no_worker(current->step->uses) || takes_worker(); }

void Execution::Impl::launch(OpenRun& run) {
  const auto* action = recipe::find_action(current->step->uses);
  auto arguments = arguments_of(run, action);
  if (!arguments) {
    report_started(run, "");
    if (run.doubtful && !is_harmless(action) && !decide_doubt(run)) return;
    return settle(run, Outcome::failure(std::move(arguments).error()));
  }
  run.label = deep_label(*arguments);
  run.telling = run.label | telling_mask(*current->step);
  *arguments = current->step->mask.below("input").labelled(*arguments);
  if (run.doubtful && !settle_doubt(run, action, *arguments)) return;
  run.repeated |= run.doubtful;
  if (current->step->uses == kWait && is_dry()) return skip_wait(run, *arguments);
  if (current->step->uses == kWait) return start_wait(run, *arguments);
  if (current->step->uses == kLog) return write_log(run, *arguments);
  start_action(run, *action, *std::move(arguments));
}

StepResult<void> Execution::Impl::bind_secrets(const recipe::Step& step, expr::Activation& names) const {
  const auto* command_field = step.with.find("template");
  const Value command_name = command_field == nullptr ? Value("") : command_field->source();
  const std::string command = command_name.is(Value::Kind::string) ? command_name.as_string() : "";
  ValueMap secrets;
  for (const auto& use : step.with.uses()) {
    if (use.reference.path.size() < 2 || use.reference.path[0] != "secrets") continue;
    const std::string& name = use.reference.path[1];
    if (!ports.secret) return step_fail("not_found", "this agent has no secrets for recipes");
    SP_TRY(const auto secret, ports.secret({name, step.uses, step.connection, command, recipe->name}));
    secrets.insert_or_assign(Value(name), Value(secret.reveal()).with_label(Label::secret));
  }
  if (!secrets.empty()) names.bind("secrets", Value(std::move(secrets)));
  return {};
}

StepResult<Value> Execution::Impl::arguments_of(const OpenRun& run, const recipe::ActionInfo* action) const {
  const auto& step = *current->step;
  if (action == nullptr) return step_fail("not_found", "this agent does not know the action " + step.uses);
  expr::Activation names = contexts.names();
  if (run.id.item != kNoItem) names.bind("item", run.item);
  for (const auto& use : step.with.uses()) SP_CHECK(nothing_missing("`with`", std::span(&use.reference, 1)));
  SP_CHECK(bind_secrets(step, names));
  const auto given = step.with.evaluate(names, {.secrets = expr::SecretUse::carry_only});
  if (!given) {
    const auto& [path, problem] = given.error();
    const std::string where = path.empty() ? "`with`" : "`with." + path + "`";
    return std::unexpected(tellable(invalid_at(where, expr::to_string(problem)), problem.label | telling_mask(step)));
  }
  auto bound = recipe::bind_arguments(*action, step.with, *given);
  if (!bound) return std::unexpected(tellable(invalid_at("`with`", bound.error().front().message), telling_mask(step)));
  return *std::move(bound);
}

bool Execution::Impl::keeps_ledger(const recipe::ActionInfo& action, const Value& arguments) const {
  const bool ledger = !is_dry() && action.repeat == recipe::Repeat::ledger && ports.keeps_ledger;
  return ledger && ports.keeps_ledger(current->step->uses, current->step->connection, arguments);
}

// True: run it again with the same key. Otherwise the recipe's word counts, and the run has ended.
bool Execution::Impl::settle_doubt(OpenRun& run, const recipe::ActionInfo* action, const Value& arguments) {
  const bool marked = run.ledger && keeps_ledger(*action, arguments);
  return (run.doubts < kMostDoubts && (marked || is_harmless(action))) || decide_doubt(run);
}

// As the recipe says; false when the run has ended.
bool Execution::Impl::decide_doubt(OpenRun& run) {
  const StepError why = run.told_doubt.value_or(doubt());
  switch (current->step->doubt()) {
    case recipe::OnInDoubt::retry: return true;
    case recipe::OnInDoubt::skip:
      report_log(run.id, "warn", "in doubt, and skipped as the recipe says: " + why.message);
      end_run(run.id.item, Outcome::skipped());
      return false;
    case recipe::OnInDoubt::stop:
    case recipe::OnInDoubt::ask: end_run(run.id.item, {StepStatus::in_doubt, Value(), why}); return false;
  }
  return false;
}

void Execution::Impl::start_wait(OpenRun& run, const Value& arguments) {
  const auto length = length_of(arguments.find("duration"));
  auto intent = intent_of(run.id);
  intent.wake_at = now.wall + length;
  record_intent(std::move(intent));
  report_started(run, shown(arguments));
  run.stage = Stage::sleeping;
  run.durable_wait = true;
  run.wake = now.steady + length;
}

void Execution::Impl::write_log(OpenRun& run, const Value& arguments) {
  const Value told = redacted(arguments.with_label(run.label));
  report_started(run, shown(told));
  const Value* text = told.find("text");
  const std::string line = text != nullptr ? text->as_string() : told.as_string();
  report_log(run.id, arguments.find("level")->as_string(), line);
  Outcome done = Outcome::success(Value());
  if (is_dry()) done.plan = Plan::ran;
  end_run(run.id.item, done);
}

void Execution::Impl::skip_wait(OpenRun& run, const Value& arguments) {
  report_started(run, shown(arguments));
  Outcome skipped = Outcome::success(Value());
  skipped.plan = Plan::planned;
  end_run(run.id.item, skipped);
}

void Execution::Impl::start_action(OpenRun& run, const recipe::ActionInfo& info, Value arguments) {
  run.ledger = (!run.doubtful || run.ledger) && keeps_ledger(info, arguments);
  auto intent = intent_of(run.id);
  intent.ledger = run.ledger;
  run.repeats = run.ledger || is_harmless(&info);
  record_intent(std::move(intent));
  report_started(run, shown(arguments));
  if (!std::exchange(run.announced, false) && run.doubtful) {
    report_log(run.id, "warn",
               run.repeats ? "run again after an interruption, with the same idempotency key"
                           : "in doubt, and run again as the recipe says: its effect may happen twice");
  }
  RunStep action{.run = run.id,
                 .path = path_text(run.id),
                 .uses = current->step->uses,
                 .connection = current->step->connection,
                 .arguments = std::move(arguments),
                 .idempotency_key = idempotency_key(job.id, run.id),
                 .repeated = run.repeated,
                 .time_limit = current->step->time_limit(),
                 .mode = job.mode,
                 .in_memory = !recipe->keeps_payload() || has(run.label, Label::masked) ||
                              !mask_of(*current->step, run.id).nothing(),
                 .latest = stop_first()};
  run.stage = Stage::running;
  run.interrupted = false;
  turn.actions.emplace_back(std::move(action));
}

}  // namespace sallyport::execution
