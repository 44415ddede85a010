#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

#include <functional>
#include <semaphore>
#include <set>

// What compiling recipes may cost the relay: threads of its own, and so much waiting (docs/decisions/0011).
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::Role;

namespace {

constexpr std::size_t kMayWait = FairPoolLimits{}.waiting_per_owner;

// Holds every thread of the pool until let go, as recipes of other organisations would.
struct BusyPool {
  BusyPool(World& of, asio::any_io_executor executor)
      : world(of), tasks(executor, [](auto& task, auto& why) { FAIL_CHECK(task << ": " << why); }) {
    for (std::size_t i = 0; i < FairPoolLimits{}.threads; ++i) tasks.spawn("busy", hold(fmt::format("org_{}", i)));
  }

  asio::awaitable<void> hold(std::string owner) {
    must(co_await world.recipe_work.run(owner, [this] { return go.acquire(), 0; }));
  }
  asio::awaitable<void> ask(Ask what, std::vector<http::Response>& answers) {
    answers.push_back(co_await world.call(std::move(what)));
  }
  void start(Ask what, std::vector<http::Response>& answers) { tasks.spawn(what.target, ask(what, answers)); }
  asio::awaitable<void> wait_until(std::function<bool()> holds) {
    for (int i = 0; i < 20'000 && !holds(); ++i) co_await sleep_for(1ms);
    if (!holds()) throw std::runtime_error("waited in vain");
  }
  asio::awaitable<void> finish() {
    go.release(100);
    co_await tasks.join();
  }

  World& world;
  std::counting_semaphore<> go{0};
  TaskGroup tasks;
};

Ask yaml_call(std::string target, std::string token, std::string yaml) {
  return {"POST", std::move(target), std::move(token), std::move(yaml), {"Content-Type: application/yaml"}};
}

}  // namespace

ASYNC_TEST_CASE("whatever compiles a recipe does so beside the loop", "[api][recipes][load]") {
  auto executor = co_await asio::this_coro::executor;
  World world(executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto& editor = tenant.token(Role::editor);
  BusyPool busy(world, executor);
  std::vector<http::Response> answers;
  busy.start(yaml_call("/v1/recipes/validate", editor, recipe_yaml("x")), answers);
  busy.start(yaml_call("/v1/recipes", editor, recipe_yaml("y")), answers);
  busy.start({"GET", fmt::format("/v1/recipes/{}/diff?from=1&to=2", targets.recipe.value), editor}, answers);
  co_await busy.wait_until([&] { return world.recipe_work.waiting() == 3; });
  CHECK(answers.empty());
  const auto other = co_await world.call({"GET", "/v1/recipes", editor});
  CHECK(other.status == 200);
  const auto started = co_await world.start(tenant, targets.recipe);
  CHECK_FALSE(started.empty());
  co_await busy.finish();
  std::multiset<int> statuses;
  for (const auto& answer : answers) statuses.insert(answer.status);
  CHECK(statuses == std::multiset<int>{200, 200, 201});
}

ASYNC_TEST_CASE("an organisation has so many recipes waiting; the next is told to come again", "[api][recipes][load]") {
  auto executor = co_await asio::this_coro::executor;
  World world(executor);
  const auto ours = co_await world.settle("a"), other = co_await world.settle("b");
  BusyPool busy(world, executor);
  std::vector<http::Response> answers, others;
  for (std::size_t i = 0; i < kMayWait + 2; ++i) {
    busy.start(yaml_call("/v1/recipes/validate", ours.token(Role::viewer), recipe_yaml("x")), answers);
  }
  co_await busy.wait_until([&] { return answers.size() == 2; });
  for (const auto& refused : answers) {
    CHECK(refused.status == 429);
    CHECK(text_of(json_of(refused), "code") == "exhausted");
    CHECK(text_of(json_of(refused), "detail").find("try again") != std::string::npos);
    REQUIRE(refused.headers.find("Retry-After") != nullptr);
    CHECK(*refused.headers.find("Retry-After") == "1");
  }
  busy.start(yaml_call("/v1/recipes/validate", other.token(Role::viewer), recipe_yaml("x")), others);
  co_await busy.wait_until([&] { return world.recipe_work.waiting() == kMayWait + 1; });
  co_await busy.finish();
  REQUIRE(answers.size() == kMayWait + 2);
  for (std::size_t i = 2; i < answers.size(); ++i) CHECK(answers[i].status == 200);
  REQUIRE(others.size() == 1);
  CHECK(others[0].status == 200);
}

ASYNC_TEST_CASE("an apply that found no place can be sent again with its key", "[api][recipes][load]") {
  auto executor = co_await asio::this_coro::executor;
  World world(executor);
  const auto ours = co_await world.settle("a");
  BusyPool busy(world, executor);
  std::vector<http::Response> waiting;
  for (std::size_t i = 0; i < kMayWait; ++i) {
    busy.start(yaml_call("/v1/recipes/validate", ours.token(Role::viewer), recipe_yaml("x")), waiting);
  }
  co_await busy.wait_until([&] { return world.recipe_work.waiting() == kMayWait; });
  auto apply = yaml_call("/v1/recipes", ours.token(Role::editor), recipe_yaml("orders"));
  apply.headers.emplace_back("Idempotency-Key: k-1");
  const auto refused = co_await world.call(apply);
  CHECK(refused.status == 429);
  co_await busy.finish();
  const auto applied = co_await world.call(apply);
  CHECK(applied.status == 201);
}
