#include "shared/async/task_group.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/new_id.h"
#include "shared/recipe/loader.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

#include <algorithm>

// If-Match under the eyes of others: of the changes that name one state, one happens.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

std::string tag_at(const http::Response& response) {
  const auto* tag = response.headers.find("ETag");
  return tag == nullptr ? std::string() : *tag;
}

asio::awaitable<void> put_status(World& world, Ask ask, int& status) {
  status = (co_await world.call(std::move(ask))).status;
}

// All at once; the statuses, in the order of the asks.
asio::awaitable<std::vector<int>> together(World& world, std::vector<Ask> asks) {
  std::vector<int> statuses(asks.size());
  TaskGroup calls(co_await asio::this_coro::executor, [](const std::string&, const std::string&) {});
  for (std::size_t i = 0; i < asks.size(); ++i) calls.spawn("call", put_status(world, std::move(asks[i]), statuses[i]));
  co_await calls.join();
  co_return statuses;
}

// Looks at the recipe as the other call does before it writes, and then stores a version before that one writes: what
// an apply does, without its turn on the pool.
asio::awaitable<void> add_version(World& world, Tenant tenant, Ask look, std::string text) {
  co_await world.call(std::move(look));
  const auto yaml = recipe_yaml("orders", "dc1", text);
  const auto canonical = recipe::to_canonical(recipe::load_recipe(yaml).value());
  const auto digest = crypto::sha256(canonical);
  must(co_await world.stores.recipes.apply(tenant.org, {.id_if_new = crypto::new_id<RecipeId>(world.clock),
                                                        .name = "orders",
                                                        .run_on = "dc1",
                                                        .trigger = "manual",
                                                        .source_yaml = yaml,
                                                        .canonical_json = canonical,
                                                        .sha256 = Bytes(digest.begin(), digest.end()),
                                                        .created_by = {},
                                                        .created_at = world.clock.wall()}));
}

asio::awaitable<int> beside_a_version(World& world, Tenant tenant, Ask look, std::string text, Ask change) {
  int status = 0;
  TaskGroup calls(co_await asio::this_coro::executor, [](const std::string&, const std::string& why) { FAIL(why); });
  calls.spawn("version", add_version(world, tenant, std::move(look), std::move(text)));
  calls.spawn("change", put_status(world, std::move(change), status));
  co_await calls.join();
  co_return status;
}

}  // namespace

ASYNC_TEST_CASE("of many renames and moves of one state exactly one happens", "[api][agents][preconditions]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto editor = tenant.token(Role::editor);
  const auto place = "/v1/agents/" + targets.agent.value;
  for (int round = 0; round < 10; ++round) {
    const auto seen = co_await world.call({"GET", place, editor});
    const auto tag = tag_at(seen);
    const auto& other = text_of(json_of(seen), "group") == tenant.group.value ? targets.group : tenant.group;
    std::vector<Ask> asks;
    const auto to = fmt::format(R"({{"group":"{}"}})", other.value);
    asks.push_back({"POST", place + "/move", editor, to, {"If-Match: " + tag}});
    for (int i = 0; i < 16; ++i) {
      asks.push_back({"PATCH", place, editor, fmt::format(R"({{"name":"r{}-{}"}})", round, i), {"If-Match: " + tag}});
    }
    std::ranges::rotate(asks, asks.begin() + round);
    const auto statuses = co_await together(world, std::move(asks));
    INFO("round " << round);
    CHECK(std::ranges::count(statuses, 200) == 1);
    CHECK(std::ranges::count(statuses, 412) == 16);
  }
  std::vector<Ask> free;
  for (int i = 0; i < 4; ++i) free.push_back({"PATCH", place, editor, R"({"name":"x"})", {"If-Match: *"}});
  const auto statuses = co_await together(world, std::move(free));
  CHECK(std::ranges::count(statuses, 200) == 4);
}

ASYNC_TEST_CASE("a recipe that gets a version meanwhile is neither deleted nor activated",
                "[api][recipes][preconditions]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto applied = [&](std::string text) {
    return Ask{"POST", "/v1/recipes", editor,
               to_json(Value(ValueMap{{Value("yaml"), Value(recipe_yaml("orders", "dc1", text))}}))};
  };
  const auto made = json_of(co_await world.call(applied("one")));
  const auto place = "/v1/recipes/" + text_of(*made.find("recipe"), "id");
  const auto tag = "If-Match: " + tag_at(co_await world.call({"GET", place, editor}));
  const Ask look{"GET", place, editor};
  const int deleted = co_await beside_a_version(world, tenant, look, "two", {"DELETE", place, editor, {}, {tag}});
  CHECK(deleted == 412);
  const auto next = "If-Match: " + tag_at(co_await world.call({"GET", place, editor}));
  const Ask activate{"POST", place + "/activate", editor, R"({"version":1})", {next}};
  const int activated = co_await beside_a_version(world, tenant, look, "three", activate);
  CHECK(activated == 412);
  const auto now = json_of(co_await world.call({"GET", place, editor}));
  CHECK(now.find("latest_version")->as_int() == 3);
  CHECK(now.find("active_version")->is_null());
}
