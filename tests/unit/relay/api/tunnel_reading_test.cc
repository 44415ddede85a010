#include "relay/api/tunnel_shapes.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/tunnel_asks.h"

#include <ranges>

// Lists of tunnels, and access records.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("tunnels are listed by name and status, with what they carry now", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& viewer = tenant.token(Role::viewer);
  const auto first = co_await world.add_tunnel(tenant, "one", store::TunnelStatus::active);
  world.clock.advance(std::chrono::seconds(1));
  co_await world.add_tunnel(tenant, "two", store::TunnelStatus::paused);
  world.desk.standings[first] = {.entrance = tunnels::EntranceState::listening,
                                 .problem = {},
                                 .open_connections = 3,
                                 .to_target = 1'000,
                                 .from_target = 9'000'000'000};
  const auto names = [&](std::string query) -> asio::awaitable<std::string> {
    const auto page = co_await world.call({"GET", "/v1/tunnels" + query, viewer});
    std::string all;
    for (const auto& one : items_of(page)) all += text_of(one, "name") + " ";
    co_return all;
  };
  const std::pair<std::string, std::string> table[] = {
      {"", "one two "},           {"?name=two", "two "},           {"?name=three", ""}, {"?status=active", "one "},
      {"?status=paused", "two "}, {"?name=one&status=paused", ""}, {"?limit=1", "one "}};
  for (const auto& [query, expected] : table) {
    INFO(query);
    const auto found = co_await names(query);
    CHECK(found == expected);
  }
  const auto page = json_of(co_await world.call({"GET", "/v1/tunnels?limit=1", viewer}));
  const auto& one = page.find("items")->as_list().at(0);
  CHECK(one.find("open_connections")->as_int() == 3);
  CHECK(one.find("from_target")->as_int() == 9'000'000'000);
  const auto rest = co_await names("?cursor=" + text_of(page, "next"));
  CHECK(rest == "two ");
  const auto wrong = co_await world.call({"GET", "/v1/tunnels?status=idle", viewer});
  CHECK(wrong.status == 400);
}

ASYNC_TEST_CASE("access records come newest first, the open ones as they are now", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& viewer = tenant.token(Role::viewer);
  const auto tunnel = co_await world.add_tunnel(tenant, "one", store::TunnelStatus::active);
  const auto place = "/v1/tunnels/" + tunnel.value + "/connections";
  std::vector<store::TunnelConnection> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(connection(world, tunnel));
    world.clock.advance(std::chrono::seconds(1));
  }
  auto ended = all[0];
  ended.closed_at = world.clock.wall();
  ended.end = "finished";
  must(co_await world.stores.tunnels.note_connections(tenant.org, {ended, all[1], all[2]}));
  all[1].to_target = 77;
  all[3].from_target = 88;                             // too young to be stored
  world.desk.open[tunnel] = {all[3], all[2], all[1]};  // newest first
  const auto whole = co_await world.call({"GET", place, viewer});
  INFO(whole.body);
  CHECK(misfit("TunnelConnectionPage", json_of(whole)).empty());
  CHECK(ids_of(whole) == std::vector<std::string>{all[3].id.value, all[2].id.value, all[1].id.value, all[0].id.value});
  const auto items = items_of(whole);
  CHECK(items[0].find("from_target")->as_int() == 88);
  CHECK(items[0].find("end")->is_null());
  CHECK(items[2].find("to_target")->as_int() == 77);
  CHECK(text_of(items[3], "end") == "finished");
  CHECK(text_of(items[3], "closed_at") == rfc3339(*ended.closed_at));
}

ASYNC_TEST_CASE("every connection is on one page, in the order of its id, also one that is not stored yet",
                "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto tunnel = co_await world.add_tunnel(tenant, "one", store::TunnelStatus::active);
  std::vector<store::TunnelConnection> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(connection(world, tunnel));
    world.clock.advance(std::chrono::seconds(1));
  }
  std::vector<std::string> newest_first;
  for (const auto& one : all | std::views::reverse) newest_first.push_back(one.id.value);
  for (unsigned stored = 0; stored < 64; stored = stored * 2 + 1) {  // the store lacks the newest ones, or all
    world.desk.open[tunnel].clear();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if ((stored >> i & 1) != 0) must(co_await world.stores.tunnels.note_connections(tenant.org, {all[i]}));
      if ((stored >> i & 1) == 0 || i % 2 == 0) world.desk.open[tunnel].push_back(all[i]);
    }
    for (const std::size_t limit : {1u, 2u, 5u, 6u, 7u}) {
      INFO("stored " << stored << ", pages of " << limit);
      std::vector<std::string> paged;
      std::string cursor;
      do {
        const auto page = co_await world.call(
            {"GET", fmt::format("/v1/tunnels/{}/connections?limit={}&cursor={}", tunnel.value, limit, cursor),
             tenant.token(Role::viewer)});
        CHECK(items_of(page).size() <= limit);
        for (auto& id : ids_of(page)) paged.push_back(std::move(id));
        cursor = text_of(json_of(page), "next");
      } while (!cursor.empty() && paged.size() <= all.size());
      CHECK(paged == newest_first);
    }
  }
  // The store has only an old one; what is between stands in its place.
  const auto lonely = co_await world.add_tunnel(tenant, "two", store::TunnelStatus::active);
  const auto live = connection(world, lonely);
  world.clock.advance(std::chrono::seconds(1));
  const auto newest = connection(world, lonely);
  must(co_await world.stores.tunnels.note_connections(tenant.org, {newest}));
  world.desk.open[lonely] = {live};
  const auto both =
      co_await world.call({"GET", "/v1/tunnels/" + lonely.value + "/connections", tenant.token(Role::viewer)});
  CHECK(ids_of(both) == std::vector<std::string>{newest.id.value, live.id.value});
}

ASYNC_TEST_CASE("access records outlive their tunnel, for its organisation alone", "[api][tunnels][tenancy]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto theirs = co_await world.settle("b");
  const auto tunnel = co_await world.add_tunnel(tenant, "one", store::TunnelStatus::active);
  must(co_await world.stores.tunnels.note_connections(tenant.org, {connection(world, tunnel)}));
  world.desk.open[tunnel] = {connection(world, tunnel)};
  const auto place = "/v1/tunnels/" + tunnel.value;
  const auto foreign = co_await world.call({"GET", place + "/connections", theirs.token(Role::owner)});
  CHECK(foreign.status == 404);
  co_await world.call({"DELETE", place, tenant.token(Role::editor)});
  world.desk.open.clear();
  const auto kept = co_await world.call({"GET", place + "/connections", tenant.token(Role::viewer)});
  CHECK(items_of(kept).size() == 1);
}

TEST_CASE("every state of an entrance has its word", "[api][tunnels]") {
  using tunnels::EntranceState;
  const std::pair<EntranceState, std::string_view> words[] = {{EntranceState::none, "none"},
                                                              {EntranceState::listening, "listening"},
                                                              {EntranceState::paused, "paused"},
                                                              {EntranceState::expired, "expired"},
                                                              {EntranceState::failed, "failed"}};
  for (const auto& [state, word] : words) {
    CHECK(api::to_string(state) == word);
    const auto shape = api::shape(store::Tunnel{}, {.entrance = state, .problem = {}});
    CHECK(text_of(*shape.find("entrance"), "state") == word);
  }
}
