#include "relay/api/tunnel_lookout.h"
#include "shared/async/task_group.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/tunnel_asks.h"

// Tunnels watched live.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

// One who watches a tunnel; a second passes on the world's clock before each event.
struct Watcher {
  Watcher(World& of, http::Reply reply) : world(&of) {
    REQUIRE(std::holds_alternative<http::StreamResponse>(reply));
    events = std::move(std::get<http::StreamResponse>(reply).events);
  }
  asio::awaitable<http::ServerEvent> next() {
    world->clock.advance(std::chrono::seconds(1));
    auto event = co_await events->next(world->clock.steady() + std::chrono::hours(1));
    co_return event ? *std::move(event) : http::ServerEvent{"", "over", ""};
  }

  World* world;
  std::unique_ptr<http::EventSource> events;
};

// A tunnel in a world whose clock stands.
struct Scene {
  explicit Scene(asio::any_io_executor executor) : world(std::move(executor)) {}
  asio::awaitable<void> begin() {
    tenant = co_await world.settle("a");
    made = json_of(co_await world.call(order(tenant)));
    id = TunnelId(text_of(made, "id"));
    world.clock.freeze();
  }
  asio::awaitable<Watcher> watch() {
    co_return Watcher(world, co_await world.play({"GET", place_of(made) + "/live", tenant.token(Role::viewer)}));
  }

  World world;
  Tenant tenant;
  Value made;
  TunnelId id;
};

store::TunnelConnection ended(store::TunnelConnection one, WallTime at, std::string_view end = "finished") {
  one.closed_at = at;
  one.end = end;
  one.to_target = 77;
  return one;
}

}  // namespace

ASYNC_TEST_CASE("a tunnel is watched live: figures when they change, connections that open and end",
                "[api][tunnels][live]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  auto& [world, tenant, made, id] = scene;
  auto watcher = co_await scene.watch();
  auto event = co_await watcher.next();
  CHECK(event.name == "figures");
  CHECK(event.data == R"({"entrance":{"problem":null,"state":"none"},"from_target":0,"open_connections":0,)"
                      R"("status":"active","to_target":0})");
  auto one = connection(world, id);
  world.desk.open[id] = {one};
  world.desk.standings[id] = {.open_connections = 1, .to_target = 7};
  event = co_await watcher.next();
  CHECK(event.name == "figures");
  CHECK_THAT(event.data, Catch::Contains(R"("open_connections":1)") && Catch::Contains(R"("to_target":7)"));
  event = co_await watcher.next();
  CHECK(event.name == "opened");
  CHECK(misfit("TunnelConnection", must(parse_json(event.data))).empty());
  // Nothing of them is in the store: the tally counted the one, the other was refused.
  const auto refused = ended(connection(world, id), world.clock.wall(), "not_allowed");
  world.desk.watch(id)->note(ended(one, world.clock.wall()));
  world.desk.watch(id)->note(refused);
  world.desk.open[id] = {};
  event = co_await watcher.next();
  CHECK(event.name == "ended");
  CHECK_THAT(event.data, Catch::Contains(one.id.value) && Catch::Contains(R"("end":"finished")") &&
                             Catch::Contains(R"("to_target":77)"));
  event = co_await watcher.next();
  CHECK(event.name == "ended");
  CHECK_THAT(event.data, Catch::Contains(refused.id.value) && Catch::Contains("not_allowed"));
  world.desk.watch(id)->note(ended(connection(world, id), world.clock.wall(), "removed"));
  must(co_await world.stores.tunnels.remove(tenant.org, id, world.clock.wall()));
  event = co_await watcher.next();
  CHECK(event.name == "ended");
  event = co_await watcher.next();
  CHECK(event.name == "removed");
  event = co_await watcher.next();
  CHECK(event.name == "over");
}

ASYNC_TEST_CASE("however many watch a tunnel, it is looked at once a second", "[api][tunnels][live]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  auto& [world, tenant, made, id] = scene;
  const auto one = connection(world, id);
  world.desk.open[id] = {one};
  std::vector<Watcher> watchers;
  for (int i = 0; i < 20; ++i) watchers.push_back(co_await scene.watch());
  const auto each_gets = [&](std::string_view name) -> asio::awaitable<void> {
    for (auto& watcher : watchers) {
      const auto event = co_await watcher.events->next(world.clock.steady() + std::chrono::hours(1));
      REQUIRE(event);
      CHECK(event->name == name);
    }
  };
  co_await each_gets("figures");
  co_await each_gets("opened");
  CHECK(world.desk.looks == 1);
  world.clock.advance(std::chrono::seconds(1));
  world.desk.watch(id)->note(ended(one, world.clock.wall()));
  world.desk.open[id] = {};
  auto& first = watchers.front();
  auto event = co_await first.events->next(world.clock.steady() + std::chrono::hours(1));
  REQUIRE(event);
  CHECK(event->name == "ended");
  CHECK(world.desk.looks == 2);
  watchers.erase(watchers.begin(), watchers.begin() + 18);  // each of the others sleeps a second in truth
  co_await each_gets("ended");
  CHECK(world.desk.looks == 2);
  auto late = co_await scene.watch();  // begins with what stands
  event = co_await late.events->next(world.clock.steady() + std::chrono::hours(1));
  REQUIRE(event);
  CHECK(event->name == "figures");
  CHECK(world.desk.looks == 2);
}

ASYNC_TEST_CASE("of a flood of short connections some are told, and the others counted", "[api][tunnels][live]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  auto& [world, tenant, made, id] = scene;
  auto watcher = co_await scene.watch();
  auto event = co_await watcher.next();
  CHECK(event.name == "figures");
  const auto long_lived = connection(world, id);
  world.desk.open[id] = {long_lived};
  event = co_await watcher.next();
  CHECK(event.name == "opened");
  for (std::size_t i = 0; i < tunnels::EndedConnections::kMost + 3; ++i)
    world.desk.watch(id)->note(ended(connection(world, id), world.clock.wall()));
  world.desk.watch(id)->note(ended(long_lived, world.clock.wall()));  // there is no room for its end any more
  world.desk.open[id] = {};
  std::size_t told = 0;
  bool long_one_told = false;
  for (event = co_await watcher.next(); event.name == "ended"; event = co_await watcher.next()) {
    ++told;
    long_one_told = long_one_told || event.data.find(long_lived.id.value) != std::string::npos;
  }
  CHECK(long_one_told);
  CHECK(told == api::TunnelLookout::kMostTold + 1);
  CHECK(event.name == "more_ended");
  CHECK(event.data ==
        fmt::format(R"({{"count":{}}})", tunnels::EndedConnections::kMost + 3 - api::TunnelLookout::kMostTold));
}

ASYNC_TEST_CASE("who looks away while it looks is replaced by one who waits, and the slow are told to begin again",
                "[api][tunnels][live]") {
  Scene scene(co_await asio::this_coro::executor);
  co_await scene.begin();
  auto& [world, tenant, made, id] = scene;
  const auto executor = co_await asio::this_coro::executor;
  api::TunnelLookout lookout(executor, {world.stores.tunnels, world.desk, world.clock}, tenant.org, id);
  {
    TaskGroup lookers(executor, [](const std::string&, const std::string& why) { FAIL(why); });
    TaskGroup cancelled(executor, [](const std::string&, const std::string&) {});
    cancelled.spawn("first", lookout.look());
    lookers.spawn("second", lookout.look());
    lookers.spawn("third", lookout.look());
    cancelled.stop();
    co_await lookers.join();
    co_await cancelled.join();
  }
  CHECK_FALSE(lookout.is_due());
  CHECK(world.desk.looks <= 2);
  const auto begun = lookout.begin().upto;
  for (std::size_t i = 0; i <= api::TunnelLookout::kKept; ++i) {
    world.clock.advance(std::chrono::seconds(1));
    world.desk.standings[id] = {.to_target = i + 1};
    co_await lookout.look();
    if (i + 1 == api::TunnelLookout::kKept) CHECK_FALSE(lookout.since(begun).dropped);
  }
  CHECK(lookout.since(begun).dropped);
  CHECK(lookout.since(begun + 1).events.size() == api::TunnelLookout::kKept);
  CHECK(lookout.since(lookout.begin().upto).events.empty());
}
