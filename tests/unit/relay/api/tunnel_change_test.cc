#include "shared/base/json.h"
#include "shared/crypto/new_id.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/response_schema.h"

#include <fmt/format.h>

// PATCH of a tunnel: who may use it, its limits, its end.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

Ask patch(const Tenant& tenant, const std::string& place, std::string body) {
  return {"PATCH", place, tenant.token(Role::editor), std::move(body)};
}

asio::awaitable<std::string> place_of_new(World& world, Tenant tenant) {
  const auto made = co_await world.call(
      {"POST", "/v1/tunnels", tenant.token(Role::editor),
       R"({"name":"erp-db","group_name":"dc1","target":"db.internal:5432","listen":"127.0.0.1:15432",)"
       R"("limits":{"bytes_per_second":1000,"idle_seconds":60}})"});
  REQUIRE(made.status == 201);
  co_return "/v1/tunnels/" + text_of(json_of(made), "id");
}

std::string member(const http::Response& answer, std::string_view name) {
  const auto tunnel = json_of(answer);
  return to_json(*tunnel.find(name));
}

}  // namespace

ASYNC_TEST_CASE("a change changes what it names, tells the desk, and is in the ledger as it was and as it is",
                "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto place = co_await place_of_new(world, tenant);
  const auto token = targets.token.value;
  const auto end = rfc3339(world.clock.wall() + std::chrono::hours(24 * 366));
  struct Row {
    std::string body, member, is, ledger;
  };
  for (const auto& row : {
           Row{R"({"networks":["10.1.0.0/16","2001:DB8::/32","10.1.0.0/16"]})", "networks",
               R"(["10.1.0.0/16","2001:db8::/32"])",
               R"({"is":["10.1.0.0/16","2001:db8::/32"],"was":["127.0.0.0/8","::1/128"]})"},
           Row{R"({"access":{"roles":["viewer","owner"]}})", "access", R"({"roles":["owner","viewer"],"tokens":[]})",
               R"({"is":{"roles":["owner","viewer"],"tokens":[]},"was":{"roles":["owner","editor"],"tokens":[]}})"},
           Row{fmt::format(R"({{"access":{{"tokens":["{}"]}}}})", token), "access",
               fmt::format(R"({{"roles":["owner","viewer"],"tokens":["{}"]}})", token), ""},
           Row{R"({"access":{"roles":[]}})", "access", fmt::format(R"({{"roles":[],"tokens":["{}"]}})", token), ""},
           Row{R"({"limits":{"connections":7}})", "limits",
               R"({"bytes_per_second":1000,"connections":7,"idle_seconds":60})", ""},
           Row{R"({"limits":{"bytes_per_second":0,"idle_seconds":0}})", "limits",
               R"({"bytes_per_second":0,"connections":7,"idle_seconds":0})", ""},
           Row{fmt::format(R"({{"expires_at":"{}"}})", end), "expires_at", '"' + end + '"',
               fmt::format(R"({{"is":"{}","was":null}})", end)},
           Row{R"({"expires_at":null})", "expires_at", "null", ""},
       }) {
    INFO(row.body);
    world.desk.told.clear();
    world.news();
    const auto changed = co_await world.call(patch(tenant, place, row.body));
    INFO(changed.body);
    REQUIRE(changed.status == 200);
    CHECK(misfit("Tunnel", json_of(changed)).empty());
    CHECK(member(changed, row.member) == row.is);
    const auto shown = co_await world.call({"GET", place, tenant.token(Role::viewer)});
    CHECK(member(shown, row.member) == row.is);
    CHECK(header_of(shown, "ETag") == header_of(changed, "ETag"));
    CHECK(world.desk.told == std::vector<std::string>{"put active erp-db"});
    const auto news = world.news();
    REQUIRE(news.size() == 1);
    CHECK(text_of(news[0].event, "action") == "tunnel.change");
    CHECK(text_of(news[0].event, "outcome") == "done");
    CHECK("/v1/tunnels/" + text_of(news[0].event, "target").substr(7) == place);
    const auto* told = news[0].event.find("detail")->find(row.member);
    REQUIRE(told != nullptr);
    if (!row.ledger.empty()) CHECK(to_json(*told) == row.ledger);
  }
}

ASYNC_TEST_CASE("a change to what is already so is one row, and says nothing changed", "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto place = co_await place_of_new(world, tenant);
  for (const auto* body : {R"({"limits":{"idle_seconds":60}})", "{}", R"({"access":{},"limits":{}})"}) {
    INFO(body);
    world.news();
    const auto same = co_await world.call(patch(tenant, place, body));
    CHECK(same.status == 200);
    const auto news = world.news();
    REQUIRE(news.size() == 1);
    CHECK(news[0].event.find("detail")->find("limits") == nullptr);
  }
}

ASYNC_TEST_CASE("what is wrong with a change is said of its member, and nothing is changed", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto theirs = co_await world.make_targets(co_await world.settle("b"));
  const auto place = co_await place_of_new(world, tenant);
  const auto before = (co_await world.call({"GET", place, tenant.token(Role::viewer)})).body;
  const auto now = world.clock.wall();
  world.desk.told.clear();
  struct Row {
    std::string body;
    int status;
    std::string where, what;
  };
  for (const auto& row : {
           Row{R"({"networks":[]})", 422, "/networks", "from 1 to 32"},
           Row{R"({"networks":null})", 422, "/networks", "must be a list"},
           Row{R"({"networks":["10.0.0.1/8"]})", 422, "/networks", "bits are set"},
           Row{R"({"access":null})", 422, "/access", "must be an object"},
           Row{R"({"access":{"roles":["admin"]}})", 422, "/access/roles", "must be one of"},
           Row{R"({"access":{"tokens":["x"]}})", 422, "/access/tokens", "must be the id"},
           Row{R"({"limits":{"connections":0}})", 422, "/limits/connections", "from 1 to 1000"},
           Row{R"({"limits":{"connections":null}})", 422, "/limits/connections", "whole number"},
           Row{R"({"expires_at":"tomorrow"})", 422, "/expires_at", "must be a time"},
           Row{fmt::format(R"({{"expires_at":"{}"}})", rfc3339(now)), 422, "/expires_at", "in the future"},
           Row{fmt::format(R"({{"expires_at":"{}"}})", rfc3339(now + std::chrono::hours(24 * 366 + 1))), 422,
               "/expires_at", "at most 366 days"},
           Row{R"({"name":"other"})", 422, "/", "unknown member"},
           Row{R"({"target":"a:1"})", 422, "/", "unknown member"},
           Row{fmt::format(R"({{"access":{{"tokens":["{}"]}}}})", theirs.token.value), 404, "", ""},
       }) {
    INFO(row.body);
    world.news();
    const auto refused = co_await world.call(patch(tenant, place, row.body));
    INFO(refused.body);
    REQUIRE(refused.status == row.status);
    for (const auto& news : world.news()) CHECK(text_of(news.event, "outcome") == "failed");
    if (row.status == 404) continue;
    const auto problem = json_of(refused);
    const auto& error = problem.find("errors")->as_list().at(0);
    CHECK(text_of(error, "where") == row.where);
    CHECK_THAT(text_of(error, "what"), Catch::Contains(row.what));
  }
  CHECK(world.desk.told.empty());
  const auto after = (co_await world.call({"GET", place, tenant.token(Role::viewer)})).body;
  CHECK(after == before);
}

ASYNC_TEST_CASE("of the changes that name one state of a tunnel the first happens", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto place = co_await place_of_new(world, tenant);
  const auto tag = header_of(co_await world.call({"GET", place, tenant.token(Role::viewer)}), "ETag");
  REQUIRE_FALSE(tag.empty());
  auto first = patch(tenant, place, R"({"limits":{"connections":7}})");
  first.headers = {"If-Match: " + tag};
  const auto done = co_await world.call(first);
  CHECK(done.status == 200);
  CHECK(header_of(done, "ETag") != tag);
  auto second = patch(tenant, place, R"({"limits":{"connections":8}})");
  second.headers = {"If-Match: " + tag};
  world.news();
  const auto late = co_await world.call(second);
  CHECK(late.status == 412);
  CHECK(world.news().size() == 1);
  second.headers = {"If-Match: *"};
  const auto any = co_await world.call(second);
  CHECK(any.status == 200);
  second.headers = {"If-Match: " + header_of(any, "ETag")};
  const auto paused = co_await world.call({"POST", place + "/pause", tenant.token(Role::editor)});
  CHECK(header_of(paused, "ETag") != header_of(any, "ETag"));
  const auto beside = co_await world.call(second);
  CHECK(beside.status == 412);
}

ASYNC_TEST_CASE("a session's question sees a changed access", "[api][tunnels][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto place = co_await place_of_new(world, tenant);
  (void)co_await world.play({"GET", place + "/session", tenant.token(Role::editor)});
  REQUIRE(world.desk.openers.size() == 1);
  auto denial = must(co_await world.desk.ask());
  CHECK_FALSE(denial);
  const auto narrowed = co_await world.call(patch(tenant, place, R"({"access":{"roles":["owner"]}})"));
  CHECK(narrowed.status == 200);
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "forbidden");
}
