#pragma once

#include "shared/execution/contexts.h"
#include "shared/execution/execution.h"
#include "shared/execution/foreach_state.h"
#include "shared/execution/replay.h"
#include "shared/recipe/catalogue.h"

#include <deque>
#include <map>
#include <set>

// The parts of Execution; private to this folder.
namespace sallyport::execution {

// One run of the current step that has begun and not ended.
struct OpenRun {
  enum class Stage { fresh, running, sleeping };
  StepRun id;
  Value item;
  Stage stage = Stage::fresh;
  SteadyTime wake{};                         // of sleeping
  std::optional<SteadyTime> give_up = {};    // of fresh: waits for a worker, at most until then
  bool doubtful = false;                     // an earlier run of this attempt began, and nobody knows how far it came
  bool started = false;                      // the start of this attempt has been reported
  bool repeated = false;                     // an earlier run of any attempt was like that
  bool announced = false;                    // its intent and start are recorded, though it has not begun
  bool interrupted = false;                  // the leave to act was withdrawn while it ran
  bool durable_wait = false;                 // sleeping is all it does
  bool repeats = false;                      // what it has done is found out by the next run, with the same key
  bool ledger = true;                        // every run so far whose end nobody knows kept one
  std::optional<StepError> told_doubt = {};  // by its action, and no run since has settled it
  std::uint32_t doubts = 0;                  // how often its action told one
  Label label = Label::none;                 // of what it makes: that of its arguments
  Label telling = Label::none;               // of its failures: that of its arguments, its mask included
};

// How the items of a body are read: one at a time. Reading has no effect, so that nothing of this is in the journal.
struct Reading {
  std::optional<std::int64_t> item = {};  // under way
  bool interrupted = false;               // the leave to act was withdrawn meanwhile
  std::uint32_t failures = 0;             // one after another
  SteadyTime not_before{};                // after a failure
};

struct CurrentStep {
  const recipe::Step* step = nullptr;
  std::string path;
  std::unique_ptr<ForeachState> loop = {};
  std::map<std::int64_t, OpenRun> runs = {};
  Reading reading = {};
  bool loop_told = false;     // its intent and start are recorded
  bool results_named = true;  // some expression may name what its items gave
};

// Why the job does not go on as the recipe says.
struct Ending {
  JobStatus status = JobStatus::failed;
  StepError error;
  std::string step;
};

struct Execution::Impl {
  enum class Phase { steps, on_failure, over };
  struct Result {
    StepRun run;
    StepResult<Output> result;
  };
  struct Pulled {
    std::string path;
    std::int64_t index;
    StepResult<std::optional<Value>> item;
  };

  Impl(std::shared_ptr<const recipe::Recipe> recipe, StoredJob stored, const AgentFacts& agent, ExecutionPorts ports,
       Now now);

  // --- execution.cc: from step to step
  Turn next(Now now);
  bool advance();
  bool begin_next();
  Outcome recalled(const recipe::Step& step, const StepRun& run, Outcome outcome) const;
  bool is_read_again(const recipe::Step& step, const Outcome& outcome) const;
  StepResult<void> nothing_missing(std::string_view where, std::span<const expr::Reference> references) const;
  bool adopt(const recipe::Step& step, const std::string& path, const Outcome& outcome);
  void begin(const recipe::Step& step, const std::string& path);
  void break_off(const recipe::Step& step, const std::string& path);
  StepResult<bool> wanted(const recipe::Step& step, const std::string& path) const;
  StepResult<Value> over_what(const recipe::Foreach& foreach) const;
  void begin_loop(const recipe::Foreach& foreach, const std::string& path);
  void recall_results(const std::string& path);
  void stop_here(const recipe::Stop& stop, const std::string& path);
  void conclude(const recipe::Step& step, const std::string& path, const Outcome& outcome);
  void fail_job(Ending why);
  void finish(JobStatus status, const StepError& error, const std::string& step);
  void finish_as_failed();
  void notice_ending();
  Ending over_time() const;
  SteadyTime stop_first() const;
  std::optional<SteadyTime> earliest_wake() const;

  // --- execution_loop.cc: the open runs of the current step
  bool push_runs();
  bool push(OpenRun& run);
  bool start(OpenRun& run);
  bool wait_for_worker(OpenRun& run);
  void tell_loop();
  bool open_items();
  bool open_item(std::int64_t index);
  void read_item(std::int64_t index);
  bool close_loop();
  Outcome loop_outcome(const Value& output) const;
  bool say_what_is_open();
  bool wind_down();
  Outcome cut_short(const OpenRun& run) const;

  // --- execution_launch.cc: beginning a run
  OpenRun resume(std::int64_t item, Value value) const;
  bool is_dry() const { return job.mode == Mode::dry_run; }
  bool is_harmless(const recipe::ActionInfo* action) const;  // to do it again; nullptr: none of ours, so no
  bool takes_worker() const;
  bool has_worker() const;  // when the step needs one
  void launch(OpenRun& run);
  bool keeps_ledger(const recipe::ActionInfo& action, const Value& arguments) const;
  bool settle_doubt(OpenRun& run, const recipe::ActionInfo* action, const Value& arguments);
  bool decide_doubt(OpenRun& run);
  void start_wait(OpenRun& run, const Value& arguments);
  void write_log(OpenRun& run, const Value& arguments);
  void skip_wait(OpenRun& run, const Value& arguments);
  void start_action(OpenRun& run, const recipe::ActionInfo& info, Value arguments);
  StepResult<Value> arguments_of(const OpenRun& run, const recipe::ActionInfo* action) const;
  StepResult<void> bind_secrets(const recipe::Step& step, expr::Activation& names) const;

  // --- execution_results.cc: ending a run
  void take(Result result);
  void take(Pulled pulled);
  void succeed(OpenRun& run, const Output& given);
  Outcome planned(const OpenRun& run, const Output& given);
  bool read_later(const StepError& error);
  void take_doubt(OpenRun& run, const StepError& error);
  bool retry_doubt(OpenRun& run, StepError error);
  bool ran_out_of_time(const StepError& error) const;
  void settle(OpenRun& run, const Outcome& outcome);
  void retry_later(OpenRun& run, const recipe::Retry& retry, Outcome outcome);
  void end_run(std::int64_t item, const Outcome& outcome);
  void end_item(const OpenRun& run, const Outcome& outcome);

  // --- execution_records.cc: what goes into journal and reports
  Intent intent_of(const StepRun& run) const;
  void record_intent(Intent intent);
  void record_done(const StepRun& run, const Outcome& outcome, std::optional<WallTime> retry_at);
  void report_started(OpenRun& run, const std::string& input_json);  // once for an attempt
  void report_finished(const StepRun& run, const Outcome& outcome, std::optional<WallTime> retry_at);
  void report_log(const StepRun& run, std::string_view level, std::string text);
  void report_job(JobStatus status, const StepError& error, const std::string& step);
  SteadyTime steady_at(WallTime wall, std::chrono::milliseconds at_most) const;

  std::shared_ptr<const recipe::Recipe> recipe;
  Job job;
  ExecutionPorts ports;
  Replay replay;
  std::shared_ptr<JobMemory> memory;
  Contexts contexts;
  Now now;
  SteadyTime deadline;  // of the phase

  Phase phase = Phase::steps;
  std::size_t index = 0;
  std::unique_ptr<CurrentStep> current;
  std::set<std::pair<std::string, std::int64_t>> told_open;  // items that say_what_is_open() has ended
  std::optional<std::string> cancel_reason;
  std::unique_ptr<Ending> ending;   // winding down
  std::unique_ptr<Ending> failure;  // the job has failed; on_failure may be running
  Standing standing = Standing::must_wait;
  std::deque<std::variant<Result, Pulled>> inbox;
  Turn turn;
};

StepError invalid_at(std::string_view where, const std::string& what);
StepError doubt();
// Of what a step with a mask says when it fails: it may quote what is masked.
inline Label telling_mask(const recipe::Step& step) { return step.mask.nothing() ? Label::none : Label::masked; }
// Of the output that the record of this run holds.
inline recipe::Mask mask_of(const recipe::Step& step, const StepRun& run) {
  const bool whole_loop = step.foreach && run.item == kNoItem;
  return recipe::output_mask(step, whole_loop ? recipe::OutputOf::loop : recipe::OutputOf::run);
}

}  // namespace sallyport::execution
