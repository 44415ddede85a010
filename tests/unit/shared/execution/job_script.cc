#include "tests/unit/shared/execution/job_script.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::execution::test {
namespace {

Job make_job(const std::string& trigger_json) {
  Job job;
  job.id = JobId("job_01");
  job.epoch = 1;
  job.recipe = RecipeId("rcp_1");
  job.recipe_version = 4;
  job.accepted_at = from_unix_ms(1'700'000'000'000);
  job.trigger_json = trigger_json;
  return job;
}

std::string recipe_text(const std::string& steps) {
  const bool watches = steps.find("trigger.file") != std::string::npos;
  return "recipe: test\nrun_on: dc1\ntrigger: " +
         std::string(watches ? "{uses: file.watch@1, connection: c, with: {path: in}}" : "{uses: manual@1}") + "\n" +
         steps;
}

}  // namespace

void MemoryJournal::apply(const std::vector<Change>& changes) {
  for (const auto& change : changes) {
    REQUIRE_FALSE(ended_);  // nothing may follow the end
    if (const auto* intent = std::get_if<AddIntent>(&change)) apply(*intent);
    if (const auto* done = std::get_if<AddDone>(&change)) apply(*done);
    if (const auto* progress = std::get_if<SetProgress>(&change)) apply(*progress);
    if (std::holds_alternative<EndJob>(change)) ended_ = true;
  }
}

void MemoryJournal::apply(const AddIntent& change) {
  REQUIRE(change.intent.epoch == stored_.job.epoch);
  std::erase_if(stored_.intents, [&](const auto& one) { return one.run == change.intent.run; });
  stored_.intents.push_back(change.intent);
}

void MemoryJournal::apply(const AddDone& change) {
  INFO("done twice: " << path_text(change.done.run) << "#" << change.done.run.attempt);
  REQUIRE(std::ranges::none_of(stored_.done, [&](const auto& one) { return one.run == change.done.run; }));
  stored_.done.push_back(change.done);
}

void MemoryJournal::apply(const SetProgress& change) {
  const auto& at = change.progress;
  const auto below = [&](const auto& one, std::int64_t from) {
    return one.run.path == at.path && one.run.item >= from && one.run.item < at.next_item;
  };
  std::erase_if(stored_.intents, [&](const auto& one) { return below(one, 0); });
  std::erase_if(stored_.done, [&](const auto& one) { return below(one, change.keep); });
  std::erase_if(stored_.progress, [&](const auto& one) { return one.path == at.path; });
  stored_.progress.push_back(at);
}

std::shared_ptr<const recipe::Recipe> load(const std::string& yaml) {
  auto recipe = recipe::load_recipe(yaml);
  if (!recipe) {
    for (const auto& problem : recipe.error()) UNSCOPED_INFO(problem.rule << ": " << problem.message);
  }
  INFO(yaml);
  REQUIRE(recipe);
  return std::make_shared<const recipe::Recipe>(*std::move(recipe));
}

JobScript::JobScript(const std::string& steps, const std::string& trigger_json)
    : recipe_(load(recipe_text(steps))), journal_(make_job(trigger_json)) {
  make_execution();
}

void JobScript::make_execution() {
  ExecutionPorts ports;
  ports.keeps_ledger = [this](std::string_view, std::string_view, const Value&) { return ledger_; };
  ports.secret = [this](const recipe::SecretUse& use) -> StepResult<Secret> {
    secrets_asked.push_back(
        fmt::format("{} {} {} {} {}", use.name, use.action, use.connection, use.command, use.recipe));
    if (use.name == "token") return Secret::take(std::string("s3cr3t"));
    return std::unexpected(StepError{{"policy"}, "not yours", "policy.yaml secrets"});
  };
  ports.worker = [this] { return !workers_ || (*workers_)-- > 0; };
  execution_ = std::make_unique<Execution>(recipe_, journal_.stored(), AgentFacts{"agent-1"}, std::move(ports), now_);
  execution_->set_standing(Standing::may_act);
}

JobScript& JobScript::workers(int count) {
  workers_ = count;
  return *this;
}

JobScript& JobScript::held_before() {
  journal_.stored().job.held_before = true;
  make_execution();
  return *this;
}

JobScript& JobScript::dry_run() {
  journal_.stored().job.mode = Mode::dry_run;
  make_execution();
  return *this;
}

JobScript& JobScript::on(const std::string& uses, Act act) {
  acts_[uses] = std::move(act);
  return *this;
}

JobScript& JobScript::rows(std::vector<Value> items) {
  rows_ = std::move(items);
  return *this;
}

JobScript& JobScript::unreadable(std::map<std::int64_t, std::vector<std::string>> errors) {
  unreadable_ = std::move(errors);
  return *this;
}

StepResult<std::optional<Value>> JobScript::read(const PullItem& pull) {
  if (auto& errors = unreadable_[pull.index]; !errors.empty()) {
    const std::string first = errors.front();
    errors.erase(errors.begin());
    return step_fail(first, "no " + first);
  }
  if (std::cmp_greater_equal(pull.index, rows_.size())) return std::optional<Value>();
  return std::optional(rows_[static_cast<std::size_t>(pull.index)]);
}

StepResult<Output> JobScript::act(const RunStep& step) {
  ran.push_back(fmt::format("{}#{}", step.path, step.run.attempt));
  steps.push_back(step);
  auto it = acts_.find(step.uses + " " + step.path);
  if (it == acts_.end()) it = acts_.find(step.uses);
  return it == acts_.end() ? gives(Value()) : it->second(step);
}

Turn JobScript::turn() {
  Turn turn = execution_->next(now_);
  journal_.apply(turn.changes);
  reports.insert(reports.end(), turn.reports.begin(), turn.reports.end());
  if (turn.finished) finished = turn.finished;
  return turn;
}

void JobScript::perform(const Turn& turn) {
  for (const Action& action : turn.actions) {
    if (const auto* step = std::get_if<RunStep>(&action)) {
      execution_->on_step_result(step->run, act(*step));
      continue;
    }
    const auto& pull = std::get<PullItem>(action);
    execution_->on_item(pull.path, pull.index, read(pull));
  }
}

void JobScript::advance(std::chrono::milliseconds by) {
  now_.steady += by;
  now_.wall += by;
}

JobScript& JobScript::run() {
  for (int turns = 0; turns < 100'000; ++turns) {
    const Turn now = turn();
    if (finished) return *this;
    perform(now);
    if (!now.actions.empty()) continue;
    if (!now.wake) return *this;
    const auto wait =
        std::max(std::chrono::ceil<std::chrono::milliseconds>(*now.wake - now_.steady), std::chrono::milliseconds(0));
    slept += wait;
    advance(wait);
  }
  FAIL("the job does not come to an end");
  return *this;
}

void JobScript::restart() { make_execution(); }

std::string short_form(const report::Body& body) {
  struct Short {
    std::string operator()(const report::JobStarted&) const { return "job started"; }
    std::string operator()(const report::StepStarted& r) const {
      return fmt::format("started {}#{}", r.path, r.attempt);
    }
    std::string operator()(const report::StepFinished& r) const {
      const char* retry = r.retry_at_ms ? " retry" : "";
      return fmt::format("{} {}#{}{}{}{}", r.status, r.path, r.attempt, r.error_class.empty() ? "" : " ", r.error_class,
                         retry);
    }
    std::string operator()(const report::StepLog& r) const { return fmt::format("log {} {}", r.level, r.text); }
    std::string operator()(const report::JobFinished& r) const {
      return fmt::format("job {}{}{}", r.status, r.error_class.empty() ? "" : " ", r.error_class);
    }
    std::string operator()(const report::AgentEvent& r) const { return fmt::format("event {} {}", r.kind, r.rule); }
  };
  return std::visit(Short(), body);
}

std::vector<std::string> JobScript::told() const {
  std::vector<std::string> lines;
  lines.reserve(reports.size());
  for (const auto& body : reports) lines.push_back(short_form(body));
  return lines;
}

report::JobFinished JobScript::end() const {
  REQUIRE_FALSE(reports.empty());
  const auto* end = std::get_if<report::JobFinished>(&reports.back());
  REQUIRE(end != nullptr);
  return *end;
}

Value JobScript::output_of(const std::string& path) const {
  for (auto it = reports.rbegin(); it != reports.rend(); ++it) {
    const auto* end = std::get_if<report::StepFinished>(&*it);
    if (end != nullptr && end->path == path) return parse_stored_json(end->output_json).value_or(Value("unreadable"));
  }
  FAIL("no report of " << path);
  return Value();
}

}  // namespace sallyport::execution::test
