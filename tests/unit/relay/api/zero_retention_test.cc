#include "tests/support/async_test.h"
#include "tests/support/canary.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

// What the API takes and tells of jobs whose recipe keeps no payload.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

asio::awaitable<void> activate(World& world, Tenant tenant, std::string name, std::string more) {
  const auto yaml = recipe_yaml(name) + "inputs: {x: {type: text}}\n" + more;
  const auto recipe = co_await world.apply_recipe(tenant, name, yaml);
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
}

Ask start_of(const std::string& recipe, const std::string& token, const std::string& words) {
  return {"POST",
          "/v1/jobs",
          token,
          fmt::format(R"({{"recipe_name":"{}","inputs":{{"x":"{}"}},"event_key":"{}"}})", recipe, words, words),
          {"Idempotency-Key: k-" + recipe}};
}

}  // namespace

ASYNC_TEST_CASE("a job without payload says so, and tells no more", "[api][jobs][zero-retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const Canary canary("canary-77aa-words"), control("control-77aa-words");
  co_await activate(world, tenant, "zero", "retention: {payload: none}\n");
  co_await activate(world, tenant, "kept", "retention: {payload: 2h}\n");

  const auto started = co_await world.call(start_of("zero", owner, canary.text()));
  REQUIRE(started.status == 202);
  const auto job = json_of(started);
  CHECK(misfit("StartedJob", job) == "");
  CHECK(text_of(job, "payload") == "none");
  CHECK(text_of(job, "event_key") == "");
  const auto replayed = co_await world.call(start_of("zero", owner, canary.text()));
  CHECK(replayed.body == started.body);
  const auto path = "/v1/jobs/" + text_of(job, "id");
  const auto trigger = co_await world.call({"GET", path + "/trigger", owner});
  CHECK(trigger.body == R"({"payload":"none","trigger":null})");
  CHECK(misfit("JobTrigger", json_of(trigger)) == "");

  const auto kept = co_await world.call(start_of("kept", owner, control.text()));
  CHECK(text_of(json_of(kept), "payload") == "kept");
  CHECK(text_of(json_of(kept), "event_key") == control.text());
  const auto found = control.forms_below(world.database().parent_path());
  CHECK(std::ranges::count(found, "relay.db-wal: raw") == 1);
  CHECK(canary.forms_below(world.database().parent_path()) == std::vector<std::string>{});
  CHECK(canary.forms_in(world.sink.text) == std::vector<std::string>{});
}

ASYNC_TEST_CASE("a re-run without payload is refused with the reason, whole or from a step",
                "[api][jobs][zero-retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  co_await activate(world, tenant, "zero", "retention: {payload: none}\n");
  const auto job = text_of(json_of(co_await world.call(start_of("zero", owner, "words"))), "id");
  const auto cancelled = co_await world.call({"POST", "/v1/jobs/" + job + "/cancel", owner, "{}"});
  CHECK(text_of(json_of(cancelled), "state") == "cancelled");
  for (const auto* body : {"{}", R"({"from_step":"done"})"}) {
    const auto refused = co_await world.call({"POST", "/v1/jobs/" + job + "/rerun", owner, body});
    CHECK(refused.status == 409);
    CHECK(refused.body.find("retention: {payload: none}") != std::string::npos);
    CHECK(refused.body.find("start the recipe anew") != std::string::npos);
  }
}

// What is refused is told to its caller alone, its words too.
ASYNC_TEST_CASE("a start without payload that is refused leaves no word of it behind", "[api][jobs][zero-retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const Canary canary("canary-77bb-words");
  co_await activate(world, tenant, "zero",
                    "retention: {payload: none}\nconcurrency: {limit: 1, key: \"${{ int(inputs.x) }}\"}\n");
  const auto no_number = co_await world.call(start_of("zero", owner, canary.text()));
  CHECK(no_number.status == 422);
  const auto unknown = co_await world.call(
      {"POST", "/v1/jobs", owner, fmt::format(R"({{"recipe_name":"zero","inputs":{{"{}":1}}}})", canary.text())});
  CHECK(unknown.status == 422);
  CHECK(world.memory.held().jobs == 0);
  CHECK(canary.forms_below(world.database().parent_path()) == std::vector<std::string>{});
  CHECK(canary.forms_in(world.sink.text) == std::vector<std::string>{});
}
