#pragma once

#include "agent/runner/engine.h"
#include "shared/async/task_group.h"
#include "tests/unit/agent/journal/fixture.h"
#include "tests/unit/shared/execution/job_script.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sallyport::v1 {
class ToRelay;
}

namespace sallyport::runner::test {

namespace asio = boost::asio;
using execution::test::fails;
using execution::test::gives;
using execution::test::load;
using execution::test::short_form;
using sallyport::test::TempDir;

// The real clocks, moved.
class MovedClock final : public Clock, public platform::BootClock {
 public:
  SteadyTime steady() const override {
    fail_if_told();
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(steady_.load());
  }
  platform::BootTime now() const override {
    fail_if_told();
    return platform::SystemBootClock().now() + std::chrono::milliseconds(boot_.load());
  }
  WallTime wall() const override { return SystemClock().wall() + std::chrono::milliseconds(wall_.load()); }
  // The next steady() or now() throws, as anything might that is out of memory.
  void fail_once() { failing_ = true; }
  bool failed() const { return failed_; }
  void move(std::chrono::milliseconds by) { steady_ += by.count(), sleep(by); }
  // As when the machine sleeps: the steady clock stands still.
  void sleep(std::chrono::milliseconds by) { boot_ += by.count(), wall_ += by.count(); }
  void set_wall(WallTime to) { wall_ = unix_ms(to) - unix_ms(SystemClock().wall()); }

 private:
  void fail_if_told() const {
    if (!failing_.exchange(false)) return;
    failed_ = true;
    throw std::runtime_error("the clock was told to fail");
  }

  std::atomic<std::int64_t> steady_{0}, boot_{0}, wall_{0};
  mutable std::atomic<bool> failing_{false}, failed_{false};
};

// An action that is a function; it can be held at its beginning, and counts its runs.
class FakeAction final : public connectors::Action {
 public:
  using Act = std::function<connectors::StepResult<connectors::Output>(const connectors::StepContext&, const Value&)>;
  explicit FakeAction(std::string name, Act act = nullptr) : name_(std::move(name)), act_(std::move(act)) {}

  std::string_view name() const override { return name_; }
  connectors::StepResult<connectors::Output> run(const connectors::StepContext& context,
                                                 const Value& arguments) override;
  bool keeps_ledger(std::string_view, const Value&) const override { return ledger; }
  connectors::StepResult<void> may_run(const connectors::StepContext& context) const override {
    if (knows_dry_runs) return {};
    return Action::may_run(context);
  }

  void does(Act act) { act_ = std::move(act); }  // before it is used
  void hold();                                   // runs wait for release() or their stop token
  void release();
  int begun() const { return begun_; }
  std::vector<std::string> keys() const;

  bool ledger = false;
  bool knows_dry_runs = true;

 private:
  std::string name_;
  Act act_;
  std::atomic<int> begun_{0};
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool held_ = false;
  std::vector<std::string> keys_;
};

// Gives what it is told to give, once; runs until cancelled.
class FakeTrigger final : public connectors::TriggerSource {
 public:
  std::string_view name() const override { return "file.watch@1"; }
  asio::awaitable<connectors::StepResult<void>> run(connectors::TriggerSpec spec, connectors::TriggerSink sink,
                                                    Trouble trouble) override;

  void happen(std::string path, std::string natural_key, std::optional<std::string> cursor = {});
  void complain(Concern concern, std::string message) { troubles_.emplace_back(concern, std::move(message)); }
  bool comes_once = false;  // of what happens
  int watching = 0;
  std::size_t taken = 0;              // events the sink confirmed
  std::optional<std::string> cursor;  // that the last run began with

 private:
  std::vector<connectors::TriggerEvent> events_;
  std::vector<std::pair<Concern, std::string>> troubles_;
};

// What the agent sent, decoded by the relay's eyes; can be made to fail.
class FakeUplink final : public Uplink {
 public:
  asio::awaitable<Result<void>> send(std::string message) override;
  bool takes_health() const override { return health; }
  bool broken = false;
  bool health = false;            // the relay has that capability
  std::vector<std::string> sent;  // raw

  // "holding job_1#1", "ready 16", "answer job_1#1 yes", "report 3 job_1#1/2 step_started a"
  std::vector<std::string> lines() const;
  std::vector<std::string> lines_with(const std::string& text) const;
  bool has(const std::string& text) const { return !lines_with(text).empty(); }
  std::uint64_t last_seq() const;
  std::uint64_t last_holding() const;
};

// One agent's runner over a real journal, with fakes around it. Goes through close() before it is destroyed.
class EngineBench {
 public:
  explicit EngineBench(asio::any_io_executor executor, EngineOptions options = {});
  ~EngineBench();

  asio::awaitable<void> open();     // as at process start
  asio::awaitable<void> close();    // stops the engine; the journal stays
  asio::awaitable<void> link_up();  // a fresh uplink
  asio::awaitable<void> link_down();
  // Open, linked, and kJob1 is in its first step, a file.list@1 that `list` holds.
  asio::awaitable<void> open_in_step(std::string recipe_json);
  // Must be accepted. A Dispatch or Leases that names no Holding rests on the newest one.
  asio::awaitable<void> say(std::string to_agent);
  asio::awaitable<Result<void>> try_say(std::string to_agent);

  const Log& log() const { return log_; }
  std::vector<std::string> logged() const { return sink_.lines(); }

  TempDir dir;
  MovedClock clock;
  FakeAction list{"file.list@1"}, move{"file.move@1"}, command{"command.run@1"}, csv{"csv.read@1"};
  FakeTrigger trigger;
  std::vector<connectors::HandleOpener*> openers;
  std::vector<connectors::Action*> more_actions;  // count before the fakes of the same name
  std::vector<connectors::TriggerSource*> more_triggers;
  SecretSource secret;
  std::set<std::string, std::less<>> connections;  // of the configuration
  bool relay_takes_health = false;
  std::unique_ptr<FakeUplink> uplink;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<journal::JournalWriter> journal;
  std::unique_ptr<journal::Spool> spool;
  std::uint64_t max_outbox_rows = 200'000;

 private:
  class KeptLog final : public LogSink {
   public:
    void write(std::string_view line) override;
    std::vector<std::string> lines() const;

   private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
  };
  asio::any_io_executor executor_;
  EngineOptions options_;
  KeptLog sink_;
  Log log_{sink_, clock};
  std::unique_ptr<TaskGroup> serving_;
};

inline const std::string kJob1 = "job_01J9Z3AAAAAAAAAAAAAAAAAAA1";
inline const std::string kJob2 = "job_01J9Z3AAAAAAAAAAAAAAAAAAA2";
inline const std::string kRecipe1 = "rcp_01J9Z3AAAAAAAAAAAAAAAAAAA1";

struct DispatchOptions {
  std::string job = kJob1;
  std::uint64_t epoch = 1;
  std::uint32_t lease_ms = 60'000;
  std::uint64_t holding = 0;                                   // 0: the newest one when it is said
  std::vector<std::pair<std::string, std::string>> done = {};  // path, output JSON
  std::string trigger_json = R"({"kind":"manual","inputs":{}})";
  journal::Payload payload = journal::Payload::of_recipe;
  journal::Mode mode = journal::Mode::real;
  std::string plan = {};  // of each of `done`
};

std::string canonical(const std::string& steps, const std::string& head = "trigger: {uses: manual@1}\n");
std::string dispatch(const std::string& recipe_json, DispatchOptions options = {});
std::string cancel(const std::string& job, std::uint64_t epoch);
std::string leases(const std::string& job, std::uint64_t renewed_epoch, std::uint64_t fenced_epoch,
                   std::uint32_t lease_ms = 60'000, std::uint64_t holding = 0);
std::string acked(std::uint64_t seq);
std::string assignments(std::uint64_t revision, const std::vector<std::string>& recipes,
                        journal::Payload payload = journal::Payload::of_recipe);

// Steps of a recipe.
inline const std::string kOne = "steps:\n  - {id: a, uses: file.list@1, connection: c, with: {path: x}}\n";
inline const std::string kTwo = kOne + "  - {id: b, uses: file.move@1, connection: c, with: {from: x, to: y}}\n";

// For until().
inline std::function<bool()> finished(EngineBench& bench) {
  return [&bench] { return bench.uplink->has("job_finished"); };
}

// Polls until `condition` holds; fails the test after thirty seconds.
asio::awaitable<void> until(std::function<bool()> condition, std::string what);
asio::awaitable<void> pause(std::chrono::milliseconds length);

}  // namespace sallyport::runner::test
