#pragma once

#include "shared/base/json.h"
#include "shared/execution/execution.h"
#include "shared/recipe/loader.h"

#include <catch2/catch.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace sallyport::execution::test {

// What the journal would hold, by the same rules, in memory.
class MemoryJournal {
 public:
  explicit MemoryJournal(Job job) { stored_.job = std::move(job); }
  void apply(const std::vector<Change>& changes);
  const StoredJob& stored() const { return stored_; }
  StoredJob& stored() { return stored_; }
  bool ended() const { return ended_; }

 private:
  void apply(const AddIntent& change);
  void apply(const AddDone& change);
  void apply(const SetProgress& change);

  StoredJob stored_;
  bool ended_ = false;
};

inline StepResult<Output> gives(Value value) { return Output{std::move(value)}; }
inline StepResult<Output> fails(std::string error_class, std::string message = "no") {
  return step_fail(std::move(error_class), std::move(message));
}

// Runs one job on a virtual clock with actions that are plain functions, and keeps what it saw.
class JobScript {
 public:
  using Act = std::function<StepResult<Output>(const RunStep&)>;

  explicit JobScript(const std::string& steps_yaml,
                     const std::string& trigger_json = R"({"kind":"manual","inputs":{}})");

  // The answer of an action; the default is null. `uses` may be "name@1" or "name@1 path".
  JobScript& on(const std::string& uses, Act act);
  JobScript& rows(std::vector<Value> items);  // what every rows handle gives
  // The classes of the errors that reading an item of a rows handle gives first, one after another.
  JobScript& unreadable(std::map<std::int64_t, std::vector<std::string>> errors);
  JobScript& keeps_ledger(bool now = true) { return ledger_ = now, *this; }
  JobScript& workers(int count);  // that may begin a step or a pull, until it is said again; all at first
  JobScript& held_before();       // by an agent that was lost
  JobScript& dry_run();

  // To the end, or until nothing is left to do; fails the test after too many turns.
  JobScript& run();
  void restart();  // as after a crash: a new machine from what the journal holds
  Turn turn();     // one turn: applies its changes, remembers its reports, performs nothing
  void perform(const Turn& turn);
  void advance(std::chrono::milliseconds by);

  Execution& execution() { return *execution_; }
  MemoryJournal& journal() { return journal_; }
  Now now() const { return now_; }

  std::optional<JobStatus> finished;
  std::vector<std::string> ran;  // "path#attempt" of every action that was performed
  std::vector<RunStep> steps;
  std::vector<std::string> secrets_asked;  // "name action connection command recipe"
  std::vector<report::Body> reports;
  std::chrono::milliseconds slept{0};

  // Reports in short: "started a#1", "succeeded a#1", "failed a#1 connection retry", "log a text", "job failed
  // timeout".
  std::vector<std::string> told() const;
  report::JobFinished end() const;
  Value output_of(const std::string& path) const;

 private:
  StepResult<Output> act(const RunStep& step);
  StepResult<std::optional<Value>> read(const PullItem& pull);
  void make_execution();

  std::shared_ptr<const recipe::Recipe> recipe_;
  MemoryJournal journal_;
  std::map<std::string, Act> acts_;
  std::vector<Value> rows_;
  std::map<std::int64_t, std::vector<std::string>> unreadable_;
  bool ledger_ = false;
  std::optional<int> workers_;
  Now now_{SteadyTime(std::chrono::hours(1)), from_unix_ms(1'700'000'000'000)};
  std::unique_ptr<Execution> execution_;
};

std::shared_ptr<const recipe::Recipe> load(const std::string& yaml);
std::string short_form(const report::Body& report);

}  // namespace sallyport::execution::test
