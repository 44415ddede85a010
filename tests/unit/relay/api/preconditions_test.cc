#include "shared/async/task_group.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/new_id.h"
#include "shared/recipe/loader.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

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

// Stores a version as an apply does that has had its turn on the pool, after `hops` turns of the loop.
asio::awaitable<void> add_version(World& world, Tenant tenant, std::string name, int hops,
                                  store::AppliedRecipe& applied) {
  const auto yaml = recipe_yaml(name, "dc1", "another");
  const auto canonical = recipe::to_canonical(recipe::load_recipe(yaml).value());
  const auto digest = crypto::sha256(canonical);
  for (int i = 0; i < hops; ++i) co_await asio::post(asio::use_awaitable);
  applied = must(co_await world.stores.recipes.apply(tenant.org, {.id_if_new = crypto::new_id<RecipeId>(world.clock),
                                                                  .name = name,
                                                                  .run_on = "dc1",
                                                                  .trigger = "manual",
                                                                  .source_yaml = yaml,
                                                                  .canonical_json = canonical,
                                                                  .sha256 = Bytes(digest.begin(), digest.end()),
                                                                  .created_by = {},
                                                                  .created_at = world.clock.wall()}));
}

struct SideBySide {
  int status = 0;  // of the change
  store::AppliedRecipe applied;
};

// A recipe of one version; then a change that names its state, beside a second version that comes `hops` turns later.
asio::awaitable<SideBySide> beside_a_version(World& world, Tenant tenant, Ask change, int hops) {
  const auto editor = tenant.token(Role::editor);
  const auto name = fmt::format("orders-{}{}", change.method == "DELETE" ? "d" : "a", hops);
  const auto body = Value(ValueMap{{Value("yaml"), Value(recipe_yaml(name, "dc1", "one"))}});
  const auto made = json_of(co_await world.call({"POST", "/v1/recipes", editor, to_json(body)}));
  const auto place = "/v1/recipes/" + text_of(*made.find("recipe"), "id");
  change.target = place + change.target;
  change.token = editor;
  change.headers = {"If-Match: " + tag_at(co_await world.call({"GET", place, editor}))};
  SideBySide both;
  TaskGroup calls(co_await asio::this_coro::executor, [](const std::string&, const std::string& why) { FAIL(why); });
  calls.spawn("change", put_status(world, std::move(change), both.status));
  calls.spawn("version", add_version(world, tenant, name, hops, both.applied));
  co_await calls.join();
  co_return both;
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

// Wherever between its reading and its writing the version comes.
ASYNC_TEST_CASE("a recipe that gets a version meanwhile is neither deleted nor activated",
                "[api][recipes][preconditions]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  int refused = 0;
  for (int hops = 0; hops < 40; ++hops) {
    INFO(hops << " turns");
    const auto removal = co_await beside_a_version(world, tenant, {"DELETE", "", "", {}, {}}, hops);
    CHECK((removal.status == 204 || removal.status == 412));
    // Removed before: the version is the first of another recipe.
    CHECK((removal.status == 204) == (removal.applied.version == 1));
    const auto activation =
        co_await beside_a_version(world, tenant, {"POST", "/activate", "", R"({"version":1})", {}}, hops);
    CHECK((activation.status == 200 || activation.status == 412));
    CHECK((activation.status == 200) == activation.applied.recipe.active_version.has_value());
    refused += (removal.status == 412 ? 1 : 0) + (activation.status == 412 ? 1 : 0);
  }
  CHECK(refused >= 2);
  CHECK(refused <= 78);
}
