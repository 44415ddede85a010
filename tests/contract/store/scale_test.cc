#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

#include <chrono>
#include <iostream>

using namespace sallyport;
using namespace sallyport::test;

// What the questions that are asked all day cost when much waits and much is over. Hidden: run with "[.scale]".
namespace {

constexpr int kJobs = 100'000;

awaitable<void> add_job(World& world, store::NewJob fresh) {
  const OrgId org = fresh.job.org;
  must(co_await world.stores.jobs.add(org, std::move(fresh)));
}

awaitable<void> add_limited(World& world, int count) {
  for (int done = 0; done < count;) {
    TaskGroup together(co_await boost::asio::this_coro::executor, rethrow);
    for (int i = 0; i < 1'000 && done < count; ++i, ++done) {
      auto fresh = world.new_job(world.ours);
      fresh.job.concurrency_limit = 1;
      together.spawn("add", add_job(world, std::move(fresh)));
    }
    co_await together.join();
  }
}

template <class Ask>
awaitable<void> measure(const char* what, Ask ask) {
  constexpr int kTimes = 5;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) co_await ask();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
  std::cout << what << ": " << took.count() / kTimes << " ms\n";
}

awaitable<void> ask_all(World& world) {
  co_await world.furnish();
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  co_await add_limited(world, kJobs);
  const auto first = must(co_await jobs.next_queued({}, 1));
  must(co_await jobs.claim(org, first.at(0).id, {.agent = world.ours.agent, .at = at_ms(1), .lease_until = at_ms(2)}));
  const auto recent = at_ms(world.made - 10);
  co_await measure("next_queued",
                   [&]() -> awaitable<void> { must(co_await jobs.next_queued({world.ours.group}, 32)); });
  co_await measure("queues", [&]() -> awaitable<void> { must(co_await jobs.queues()); });
  co_await measure("add", [&]() -> awaitable<void> { co_await add_limited(world, 1); });
  co_await measure("list, all since long ago",
                   [&]() -> awaitable<void> { must(co_await jobs.list(org, {.since = at_ms(0)}, {})); });
  co_await measure("list, a recipe's recent ones", [&]() -> awaitable<void> {
    must(co_await jobs.list(org, {.recipe = world.ours.recipe, .since = recent}, {}));
  });
  co_await measure("list, queued", [&]() -> awaitable<void> {
    must(co_await jobs.list(org, {.state = domain::JobState::queued}, {}));
  });
}

}  // namespace

TEST_CASE("scale: 100,000 jobs of one recipe at limit 1", "[.scale]") {
  for (const EngineFactory& factory : engines()) {
    World world(factory.make());
    run(ask_all(world), std::chrono::minutes(20));
  }
}
