#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <thread>

// Jobs that change hands: one job, one agent, one epoch at a time (docs/protocol.md P13).
namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("the same dispatch again is answered the same and runs nothing", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  co_await bench.say(dispatch(canonical(kOne)));
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until([&] { return bench.uplink->lines_with("yes").size() == 2; }, "both are answered");
  bench.list.release();
  co_await until(finished(bench), "the job ends");
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until([&] { return bench.uplink->lines_with("yes").size() == 3; }, "the third is answered");
  co_await bench.close();
  CHECK(bench.list.begun() == 1);
}

ASYNC_TEST_CASE("when the lease ends, what runs is interrupted and nothing starts until it is renewed",
                "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kTwo));
  co_await bench.say(leases(kJob1, 1, 0, 50));
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "it is interrupted");
  bench.list.release();
  co_await pause(30ms);
  CHECK(bench.list.begun() == 1);
  CHECK_FALSE(bench.uplink->has("failed a"));
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.uplink->has("job_finished succeeded"));
  CHECK(bench.list.begun() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("a fenced job is dropped with everything it kept", "[engine][fencing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  co_await bench.say(dispatch(canonical(kTwo), {.epoch = 3}));
  co_await until([&] { return bench.list.begun() == 1; }, "the step runs");
  co_await bench.say(leases(kJob1, 0, 2));  // of an earlier epoch: not ours
  co_await pause(10ms);
  CHECK(bench.engine->status().relay_jobs == 1);
  co_await bench.say(leases(kJob1, 0, 3));
  co_await until([&] { return bench.engine->status().relay_jobs == 0; }, "it is dropped");
  CHECK(bench.journal->outbox_size().rows == 0);
  const auto found = co_await bench.journal->find(JobId(kJob1));
  CHECK((*found)->state == journal::JobState::abandoned);
  CHECK(bench.move.begun() == 0);
  co_await bench.say(dispatch(canonical(kTwo), {.epoch = 3}));
  co_await until([&] { return bench.uplink->has("#3 no busy"); }, "the old epoch is refused");
  bench.list.release();
  co_await bench.say(dispatch(canonical(kTwo), {.epoch = 4, .done = {{"a", "null"}}}));
  co_await until(finished(bench), "the new holder ends it");
  CHECK(bench.list.begun() == 1);  // completed elsewhere meanwhile
  co_await bench.close();
}

ASYNC_TEST_CASE("a higher epoch takes over a job that is held", "[engine][fencing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.move.hold();
  co_await bench.say(dispatch(canonical(kTwo)));
  co_await until([&] { return bench.move.begun() == 1; }, "the second step runs");
  co_await bench.say(leases(kJob1, 1, 0, 50));
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "it is interrupted");
  bench.move.release();
  co_await bench.say(dispatch(canonical(kTwo), {.epoch = 2}));
  co_await until(finished(bench), "the job ends");
  CHECK(bench.list.begun() == 1);
  CHECK(bench.move.begun() == 2);
  CHECK(bench.uplink->lines_with("job_started").size() == 2);  // told again under the new epoch
  CHECK(bench.uplink->has("#2/8 job_finished succeeded"));
  co_await bench.close();
}

ASYNC_TEST_CASE("a lease counts from when it was asked for, not from when the answer is read", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kOne));
  bench.clock.move(25s);
  co_await bench.say(acked(0));  // wakes the sender: Holding is due
  co_await until([&] { return bench.uplink->has("holding r0 " + kJob1); }, "the lease is asked for");
  bench.clock.move(90s);  // stopped, with the answer in a buffer
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "the step is interrupted");
  co_await until([&] { return bench.uplink->lines_with("holding r0 " + kJob1).size() == 2; }, "it asks again");
  co_await pause(30ms);
  CHECK(bench.list.begun() == 1);
  bench.list.release();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(finished(bench), "the job ends");
  co_await bench.close();
}

ASYNC_TEST_CASE("a job that is fenced and winding down is not taken again before it is gone", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  std::atomic<bool> stubborn{true};
  bench.list.does([&](const auto&, const auto&) {
    while (stubborn) std::this_thread::sleep_for(1ms);
    return connectors::Output{};
  });
  co_await bench.open();
  co_await bench.link_up();
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until([&] { return bench.list.begun() == 1; }, "the step runs");
  co_await bench.say(leases(kJob1, 0, 1));
  co_await bench.say(dispatch(canonical(kOne), {.epoch = 3}));
  co_await until([&] { return bench.uplink->has("answer " + kJob1 + "#3 no busy"); }, "it is refused for now");
  stubborn = false;
  co_await until([&] { return bench.engine->status().relay_jobs == 0; }, "it is gone");
  co_await bench.say(dispatch(canonical(kOne), {.epoch = 5}));
  co_await until([&] { return bench.uplink->has("job_finished succeeded"); }, "it runs under its new epoch");
  CHECK(bench.list.begun() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("a job whose task fails is taken up again, and no step of it runs twice at one time",
                "[engine][faults]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kTwo));
  co_await bench.link_down();  // the fault is to strike the job's task and no other
  bench.clock.fail_once();
  bench.list.release();
  co_await until([&] { return bench.clock.failed(); }, "the task fails");
  co_await bench.link_up();
  co_await until(finished(bench), "the job ends all the same");
  CHECK(bench.uplink->has("job_finished succeeded"));
  CHECK(bench.engine->status().running_steps == 0);
  co_await bench.close();
}

}  // namespace sallyport::runner
