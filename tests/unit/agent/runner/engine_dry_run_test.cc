#include "agent/runner/dry_run.h"
#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

// Dry runs: what the agent runs of them, whatever the relay, a restart or a connector does (docs/dry-run.md).
namespace sallyport::runner {
using namespace test;

namespace {

const DispatchOptions kDry{.mode = journal::Mode::dry_run};

class NoBodies final : public connectors::Bodies {
 public:
  using Handle = sallyport::Handle;
  connectors::StepResult<std::unique_ptr<connectors::ByteReader>> open_bytes(const Handle&) override {
    return connectors::step_fail("invalid", "none");
  }
  connectors::StepResult<std::unique_ptr<connectors::RowReader>> open_rows(const Handle&) override {
    return connectors::step_fail("invalid", "none");
  }
  connectors::StepResult<std::unique_ptr<connectors::BodyWriter>> new_spool(std::string) override {
    return connectors::step_fail("invalid", "none");
  }
};

// Says of each way in which it was asked that it was.
class AskedAction final : public connectors::Action {
 public:
  explicit AskedAction(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  connectors::StepResult<connectors::Output> run(const connectors::StepContext&, const Value&) override {
    asked += "run ";
    return connectors::Output{};
  }
  std::string asked;

 private:
  std::string name_;
};

connectors::StepResult<connectors::Output> dry(connectors::Action& action) {
  const JobId job{kJob1};
  NoBodies bodies;
  const connectors::StepContext context{job, "a", 1, "key", "c", std::chrono::steady_clock::now(), {}, bodies};
  return run_dry(action, context, Value(ValueMap{}));
}

}  // namespace

TEST_CASE("an action that says nothing of dry runs is not run in one", "[engine][dry]") {
  // Not in the catalogue; in it as one that the connector decides, that is rolled back, and that is planned.
  for (const auto* name : {"nobody.knows@1", "http.request@1", "sql.execute@1", "file.move@1"}) {
    INFO(name);
    AskedAction action(name);
    const auto output = dry(action);
    REQUIRE_FALSE(output);
    CHECK(output.error().error_class() == "invalid");
    CHECK(output.error().message.contains("does not say what a dry run does with it"));
    CHECK(action.asked.empty());
  }
  AskedAction reads("file.list@1");  // positive control
  REQUIRE(dry(reads));
  CHECK(dry(reads)->plan == execution::Plan::ran);
  CHECK(reads.asked == "run run ");
}

ASYNC_TEST_CASE("a dry run reads, and only plans the rest", "[engine][dry]") {
  const auto mode = GENERATE(journal::Mode::dry_run, journal::Mode::real);  // positive control
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kTwo), {.mode = mode}));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.list.begun() == 1);
  CHECK(bench.move.begun() == (mode == journal::Mode::real ? 1 : 0));
  co_await bench.close();
}

ASYNC_TEST_CASE("a dry run is one after a restart of the agent, too", "[engine][dry]") {
  const auto mode = GENERATE(journal::Mode::dry_run, journal::Mode::real);  // positive control
  EngineBench bench(co_await asio::this_coro::executor);
  bench.list.hold();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kTwo), {.mode = mode}));
  co_await until([&] { return bench.list.begun() == 1; }, "the first step runs");
  co_await bench.close();
  bench.list.release();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.list.begun() == 2);
  CHECK(bench.move.begun() == (mode == journal::Mode::real ? 1 : 0));
  co_await bench.close();
}

ASYNC_TEST_CASE("a dry run stays one when the relay gives the job again as a real one", "[engine][dry]") {
  EngineBench bench(co_await asio::this_coro::executor);
  bench.list.hold();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kTwo), kDry));
  co_await until([&] { return bench.list.begun() == 1; }, "the first step runs");
  co_await bench.say(dispatch(canonical(kTwo), {.epoch = 2}));
  bench.list.release();
  co_await until(finished(bench), "the job ends");
  CHECK(bench.move.begun() == 0);
  co_await bench.close();
}

ASYNC_TEST_CASE("a dry run neither waits for other jobs of its recipe nor keeps them out", "[engine][dry]") {
  const std::string alone = "trigger: {uses: manual@1}\nconcurrency: {limit: 1, on_conflict: skip}\n";
  EngineBench bench(co_await asio::this_coro::executor);
  bench.list.hold();
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kTwo, alone), kDry));
  co_await until([&] { return bench.list.begun() == 1; }, "the dry run is in its first step");
  co_await bench.say(dispatch(canonical(kTwo, alone), {.job = kJob2}));
  co_await until([&] { return bench.list.begun() == 2; }, "the real one is, too");
  bench.list.release();
  co_await until([&] { return bench.uplink->lines_with("job_finished").size() == 2; }, "both end");
  CHECK(bench.move.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("a dispatch without a recipe to run is refused, as an agent that knows no dry runs refuses one",
                "[engine][dry]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.try_say(dispatch("", {}));
  co_await until([&] { return bench.uplink->has("answer"); }, "it is answered");
  CHECK(bench.uplink->has(" no"));
  CHECK(bench.list.begun() == 0);
  co_await bench.close();
}

}  // namespace sallyport::runner
