#include "tests/unit/relay/jobs/world.h"

// Cancelling a job, wherever the dispatcher has it.
using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::JobState;

JOBS_TEST_CASE("cancelling while queued, held, and held by an agent that is away", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto queued = co_await world.queue(ours);
  auto cancelled = must(co_await world.service.cancel(ours.org, queued, {"user:test"}));
  CHECK(cancelled.state == JobState::cancelled);
  const auto held = co_await world.queue(ours);
  auto link = world.link(ours);
  world.connect(*link, 5);
  world.run();
  co_await world.rounds();
  REQUIRE(link->got<Dispatch>().size() == 1);
  CHECK(link->got<Dispatch>()[0].lease.job == held);

  cancelled = must(co_await world.service.cancel(ours.org, held, {"user:test"}));
  CHECK(cancelled.state == JobState::dispatched);
  REQUIRE(link->got<CancelJob>().size() == 1);
  CHECK(link->got<CancelJob>()[0].job == held);
  CHECK(link->got<CancelJob>()[0].epoch == 1);

  world.dispatcher.link_down(*link);  // it may not have heard: told again on its next link
  auto next = world.link(ours);
  world.dispatcher.link_up(*next);
  co_await world.dispatcher.holding(*next, {{{held, 1, {}}}, 0, 1});
  CHECK(next->got<CancelJob>().size() == 1);

  world.dispatcher.link_down(*next);  // and never comes back
  world.clock.advance(2min);
  co_await world.rounds();
  const auto stored = co_await world.job(ours, held);
  CHECK(stored.state == JobState::cancelled);
  CHECK(stored.error.error_class == "holder_lost");
  const auto why = co_await world.why(stored);
  CHECK_THAT(why, Catch::StartsWith(ours.agent.value + ": the agent did not renew its lease."));
}

JOBS_TEST_CASE("a cancel while the dispatch is put together follows it, and never goes ahead", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  auto link = world.link(ours);
  world.connect(*link, 1);
  const auto job = co_await world.queue(ours);
  bool cancelled = false;
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call != "history.completed" || std::exchange(cancelled, true)) co_return;
    must(co_await world.service.cancel(ours.org, job, {"user:test"}));
  };
  world.run();
  co_await world.until([&] { return link->got<CancelJob>().size() == 1; });
  CHECK(cancelled);
  const auto first = std::ranges::find_if(link->posted, [](const ToAgent& m) {
    return std::holds_alternative<Dispatch>(m) || std::holds_alternative<CancelJob>(m);
  });
  REQUIRE(first != link->posted.end());
  CHECK(std::holds_alternative<Dispatch>(*first));
  REQUIRE(link->got<CancelJob>().size() == 1);
  CHECK(link->got<CancelJob>()[0].job == job);
  CHECK(link->got<CancelJob>()[0].epoch == 1);
}
