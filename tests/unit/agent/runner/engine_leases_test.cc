#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

// From when a lease counts: a word of the relay may be read long after it was said (docs/protocol.md P13.4).
namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;

namespace {

const std::string kAsks = "holding r0 " + kJob1;

std::function<bool()> succeeded(EngineBench& bench) {
  return [&bench] { return bench.uplink->has("job_finished succeeded"); };
}
std::function<bool()> asked(EngineBench& bench, std::size_t times) {
  return [&bench, times] { return bench.uplink->lines_with(kAsks).size() == times; };
}

}  // namespace

ASYNC_TEST_CASE("a dispatch that lay unread for longer than its lease begins nothing before the relay confirms it",
                "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.clock.move(61s);  // the process was stopped, with the dispatch in its socket
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until([&] { return bench.uplink->has("answer " + kJob1 + "#1 yes"); }, "it is answered");
  co_await until(asked(bench, 1), "it is asked for");
  co_await pause(30ms);
  CHECK(bench.list.begun() == 0);
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(succeeded(bench), "the job ends");
  CHECK(bench.list.begun() == 1);
  co_await bench.close();
}

ASYNC_TEST_CASE("a dispatch that lay unread while the job was given away begins nothing at all", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.clock.move(61s);
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until(asked(bench, 1), "it is asked for");
  co_await bench.say(leases(kJob1, 0, 1));
  co_await until([&] { return bench.engine->status().relay_jobs == 0; }, "it is gone");
  CHECK(bench.list.begun() == 0);
  CHECK_FALSE(bench.uplink->has("step_started"));
  co_await bench.close();
}

ASYNC_TEST_CASE("the lease of a dispatch counts from the Holding before it, and is renewed in time",
                "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  bench.list.hold();
  bench.clock.move(40s);
  co_await bench.say(dispatch(canonical(kOne)));
  co_await until([&] { return bench.list.begun() == 1; }, "it begins without a round trip");
  co_await until(asked(bench, 1), "more than a third is over: asked for at once");
  bench.clock.move(21s);
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "it is interrupted");
  bench.list.release();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(succeeded(bench), "the job ends");
  co_await bench.close();
}

ASYNC_TEST_CASE("an answer counts from the Holding that it names, also when a later one has gone out",
                "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kOne));
  bench.clock.move(25s);
  co_await bench.say(acked(0));  // wakes the sender
  co_await until(asked(bench, 1), "asked");
  const auto first = bench.uplink->last_holding();
  bench.clock.move(25s);
  co_await bench.say(acked(0));
  co_await until(asked(bench, 2), "asked again");
  co_await bench.say(leases(kJob1, 1, 0, 60'000, first));
  bench.clock.move(36s);
  co_await bench.say(acked(0));
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "interrupted 61 s after the first");
  bench.list.release();
  co_await bench.close();
}

ASYNC_TEST_CASE("a lease that names no Holding proves nothing, one that was never sent breaks the protocol",
                "[engine][lease][bad-input]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open();
  co_await bench.link_up();
  const auto raw = [&](const std::string& bytes) {
    const auto view = as_bytes(bytes);
    return bench.engine->on_message(Bytes(view.begin(), view.end()));
  };
  for (const std::string& wrong : {dispatch(canonical(kOne), {.holding = 2}), leases(kJob1, 1, 0, 60'000, 2)}) {
    const auto refused = co_await raw(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::invalid);
  }
  const auto taken = co_await raw(dispatch(canonical(kOne)));
  REQUIRE(taken);
  co_await until(asked(bench, 1), "it is asked for");
  const auto renewed = co_await raw(leases(kJob1, 1, 0));
  REQUIRE(renewed);
  co_await pause(30ms);
  CHECK(bench.list.begun() == 0);
  CHECK(bench.uplink->lines_with(kAsks).size() == 1);  // and not asked for without end
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(succeeded(bench), "the job ends");
  co_await bench.close();
}

ASYNC_TEST_CASE("a job raised by a dispatch that lay unread waits for its new lease", "[engine][lease][fencing]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kOne));
  bench.clock.move(61s);
  co_await bench.say(dispatch(canonical(kOne), {.epoch = 2, .holding = 1}));
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "it is interrupted");
  bench.list.release();
  co_await until([&] { return bench.uplink->has(kAsks + "#2"); }, "the new lease is asked for");
  co_await pause(30ms);
  CHECK(bench.list.begun() == 1);
  co_await bench.say(leases(kJob1, 2, 0));
  co_await until(succeeded(bench), "the job ends");
  CHECK(bench.list.begun() == 2);
  co_await bench.close();
}

ASYNC_TEST_CASE("an agent that the relay refuses lets go of its leases at once, and takes up new ones later",
                "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kOne));
  co_await bench.say(dispatch(canonical(kOne), {.job = kJob2}));  // perhaps still being written when the link ends
  co_await bench.link_down();
  bench.engine->withdraw_leases();
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "what runs is interrupted");
  bench.list.release();
  const int begun = bench.list.begun();
  co_await pause(30ms);
  CHECK(bench.list.begun() == begun);
  co_await bench.link_up();
  co_await bench.say(leases(kJob1, 1, 0));
  co_await bench.say(leases(kJob2, 1, 0));
  co_await until([&] { return bench.uplink->lines_with("job_finished succeeded").size() == 2; }, "the jobs end");
  co_await bench.close();
}

ASYNC_TEST_CASE("a lease goes on ending while the machine sleeps", "[engine][lease]") {
  EngineBench bench(co_await asio::this_coro::executor);
  co_await bench.open_in_step(canonical(kOne));
  bench.clock.sleep(61s);  // every timer is late by as much
  co_await until([&] { return bench.engine->status().running_steps == 0; }, "the step is interrupted");
  bench.list.release();
  co_await pause(30ms);
  CHECK(bench.list.begun() == 1);
  co_await bench.say(acked(0));
  co_await until(asked(bench, 1), "the lease is asked for");
  co_await bench.say(leases(kJob1, 1, 0));
  co_await until(succeeded(bench), "the job ends");
  co_await bench.close();
}

}  // namespace sallyport::runner
