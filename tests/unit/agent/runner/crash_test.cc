#include "agent/journal/journal.h"
#include "agent/runner/wire.h"
#include "proto/sallyport/v1/jobs.pb.h"
#include "shared/execution/execution.h"
#include "tests/support/failing_vfs.h"
#include "tests/unit/agent/journal/fixture.h"
#include "tests/unit/shared/execution/job_script.h"

#include <map>

namespace sallyport::runner {
using namespace execution;
using namespace execution::test;
using journal::test::must_open;
using journal::test::options_in;
using sallyport::test::FailingVfs;
using sallyport::test::TempDir;

namespace {

const JobId kJob("job_01J9Z3AAAAAAAAAAAAAAAAAAA1");

const char* const kRecipe = R"(
recipe: crash
run_on: dc1
trigger: {uses: manual@1}
steps:
  - {id: look, uses: file.list@1, connection: c, with: {path: in}}
  - {id: each, uses: sql.execute@1, connection: db, foreach: {over: "[1, 2, 3]", concurrency: 2}, with: {statement: "delete from t"}}
  - {id: flaky, uses: file.move@1, connection: c, with: {from: a, to: b}, retry: {max: 2, initial: 1s}}
  - {id: nap, uses: wait.for@1, with: {duration: 1m}}
  - {id: say, uses: log.write@1, with: {text: "found ${{ steps.look.output.count }}"}}
  - {id: call, uses: command.run@1, with: {template: t}, on_in_doubt: skip}
)";

// The world outside of the process: it survives every crash and remembers.
struct World {
  std::map<std::string, int> runs;     // by path
  std::map<std::string, int> effects;  // of targets with a ledger, by idempotency key
  std::map<std::string, int> ended;    // paths whose end is on the disk
  int flaky_failures = 0;
  std::vector<std::string> repeated_after_end;

  connectors::StepResult<connectors::Output> act(const RunStep& step) {
    ++runs[step.path];
    if (ended.contains(step.path)) repeated_after_end.push_back(step.path);
    if (step.uses == "sql.execute@1") effects.try_emplace(step.idempotency_key, 0).first->second |= 1;
    if (step.uses == "file.move@1" && flaky_failures++ == 0) return fails("connection");
    return gives(Value(ValueMap{{"count", Value(3)}}));
  }
};

// One process: runs the job from the journal until it ends, or the disk dies under it.
class Process {
 public:
  Process(journal::Journal& journal, World& world) : journal_(journal), world_(world) {}

  bool run() {
    auto stored = journal_.load(kJob);
    if (!stored) return stored.error().code == Errc::not_found;  // it has ended
    ExecutionPorts ports;
    ports.keeps_ledger = [](auto, auto, const auto&) { return true; };
    Execution machine(load(kRecipe), *std::move(stored), AgentFacts{"a"}, std::move(ports), now_);
    machine.set_standing(Standing::may_act);
    for (int turns = 0; turns < 1'000; ++turns) {
      const Turn turn = machine.next(now_);
      if (!keep(turn)) return false;
      if (turn.finished) return true;
      for (const auto& action : turn.actions) {
        const auto& step = std::get<RunStep>(action);
        machine.on_step_result(step.run, world_.act(step));
      }
      if (turn.actions.empty() && turn.wake) pass(*turn.wake);
    }
    FAIL("the job does not end");
    return false;
  }

 private:
  bool keep(const Turn& turn) {
    journal::Batch batch = journal::batch_of(turn.changes);
    for (const auto& body : turn.reports)
      batch.emplace_back(journal::AddReport{kJob, wire::encode_body(body, now_.wall)});
    if (!journal_.apply(batch)) return false;
    for (const auto& change : turn.changes) {
      const auto* done = std::get_if<journal::AddDone>(&change);
      if (done != nullptr && !done->done.retry_at) ++world_.ended[path_text(done->done.run)];
    }
    return true;
  }
  void pass(SteadyTime until) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now_.steady);
    now_.steady += wait;
    now_.wall += wait;
  }

  journal::Journal& journal_;
  World& world_;
  Now now_{SteadyTime(std::chrono::hours(1)), from_unix_ms(1'700'000'000'000)};
};

void accept(const TempDir& dir) {
  journal::Job job = journal::test::make_job(kJob.value);
  job.trigger_json = "{}";
  job.accepted_at = from_unix_ms(1'700'000'000'000);
  REQUIRE(must_open(options_in(dir))->apply({journal::AcceptJob{job, {}}}));
}

std::map<std::string, int> told(journal::Journal& journal) {
  std::map<std::string, int> counts;
  const auto rows = journal.outbox_after(0, 10'000, 100u << 20);
  REQUIRE(rows);
  std::uint64_t expected = 0;
  for (const auto& row : *rows) {
    CHECK(row.job_seq == ++expected);
    v1::Report report;
    REQUIRE(report.ParseFromString(row.report.value_or("")));
    if (report.has_step_finished() && !report.step_finished().will_retry()) ++counts[report.step_finished().path()];
    if (report.has_job_finished()) ++counts["job " + report.job_finished().status()];
  }
  return counts;
}

}  // namespace

TEST_CASE("killed at any disk operation, a job goes on and ends: nothing lost, nothing completed repeated",
          "[crash][runner]") {
  FailingVfs vfs;
  bool reached_the_end = false;
  std::size_t doubts = 0;
  for (std::uint64_t operation = 1; !reached_the_end; ++operation) {
    INFO("killed at operation " << operation);
    REQUIRE(operation < 2'000);
    const TempDir dir;
    accept(dir);
    World world;
    {
      auto options = options_in(dir);
      options.vfs = vfs.name();
      auto journal = must_open(std::move(options));
      vfs.fail_at(operation, FailingVfs::Kind::crash);
      reached_the_end = Process(*journal, world).run();
    }
    vfs.heal();
    auto journal = must_open(options_in(dir));
    REQUIRE(Process(*journal, world).run());

    CHECK(world.repeated_after_end.empty());
    CHECK(world.effects.size() == 3);
    for (const char* path : {"look", "each[0]", "each[1]", "each[2]", "flaky"}) CHECK(world.runs[path] >= 1);
    CHECK(world.runs["call"] <= 1);  // never repeated in silence
    const auto counts = told(*journal);
    CHECK(counts.at("job succeeded") == 1);
    for (const char* path : {"look", "each", "each[0]", "each[1]", "each[2]", "flaky", "nap", "say", "call"}) {
      INFO(path);
      CHECK(counts.at(path) == 1);
    }
    doubts += world.runs["call"] == 0 ? 1 : 0;
  }
  CHECK(doubts >= 1);  // the kill between intent and effect was among them
}

TEST_CASE("killed again and again, it still ends", "[crash][runner]") {
  FailingVfs vfs;
  const std::uint64_t stride = GENERATE(3u, 7u, 13u);
  const TempDir dir;
  accept(dir);
  World world;
  int kills = 0;
  for (bool ended = false; !ended; ++kills) {
    REQUIRE(kills < 500);
    auto options = options_in(dir);
    options.vfs = vfs.name();
    auto journal = must_open(std::move(options));
    vfs.fail_at(stride + static_cast<std::uint64_t>(kills), FailingVfs::Kind::crash);
    ended = Process(*journal, world).run();
    journal.reset();
    vfs.heal();
  }
  CHECK(kills > 2);
  CHECK(world.repeated_after_end.empty());
  CHECK(world.effects.size() == 3);
  CHECK(world.runs["call"] <= 1);
  CHECK(told(*must_open(options_in(dir))).at("job succeeded") == 1);
}

}  // namespace sallyport::runner
