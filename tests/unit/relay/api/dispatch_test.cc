#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"

#include <fmt/format.h>

// What holds for every call: paths, media types, queries, pages; and the calls that say how the relay is.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;
using namespace std::string_view_literals;

namespace {

std::string where_of(const http::Response& response) {
  std::string out;
  const auto body = json_of(response);
  for (const auto& item : body.find("errors")->as_list()) out += text_of(item, "where") + ";";
  return out;
}

}  // namespace

ASYNC_TEST_CASE("paths and methods that do not exist", "[api][dispatch]") {
  World world(co_await asio::this_coro::executor);
  const auto absent = co_await world.call({.target = "/v2/agents"});
  CHECK(absent.status == 404);
  CHECK(header_of(absent, "Content-Type") == "application/problem+json");
  const auto wrong = co_await world.call({.method = "PUT", .target = "/v1/groups"});
  CHECK(wrong.status == 405);
  CHECK(header_of(wrong, "Allow") == "GET, POST");
}

ASYNC_TEST_CASE("bodies must be announced as what they are, and be it", "[api][dispatch]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto status = [&](Ask ask, int expected, std::string code) -> asio::awaitable<void> {
    const auto response = co_await world.call(std::move(ask));
    INFO(response.body);
    CHECK(response.status == expected);
    CHECK(code_of(response) == code);
  };
  co_await status({"POST", "/v1/groups", owner, "name=x", {"Content-Type: application/x-www-form-urlencoded"}}, 415,
                  "media_type");
  co_await status({"POST", "/v1/groups", owner, "name: x", {"Content-Type: application/yaml"}}, 415, "media_type");
  co_await status({"GET", "/v1/groups", owner, "{}"}, 400, "unexpected_body");
  co_await status({"POST", "/v1/groups", owner, "{"}, 400, "not_json");
  co_await status({"POST", "/v1/groups", owner, R"({"name":"a","name":"b"})"}, 400, "not_json");
  co_await status({"POST", "/v1/groups", owner, "{\"name\":\"\xff\"}"}, 400, "not_json");
  co_await status({"POST", "/v1/groups", owner, std::string(200, '[')}, 400, "not_json");
  co_await status({"POST", "/v1/groups", owner, std::string("{\"name\":\"a\"}\0{\"this is\":ignored"sv)}, 400,
                  "not_json");
  co_await status({"POST", "/v1/groups", owner, R"({"name":18446744073709551617})"}, 400, "not_json");
  co_await status({"POST", "/v1/groups", owner, R"({"nam":"x"})"}, 422, "invalid");
  co_await status({"POST", "/v1/groups", owner, R"({"name":"Not A Slug"})"}, 422, "invalid");
  const auto empty = co_await world.call({"POST", "/v1/groups", owner});
  CHECK(empty.status == 422);
  CHECK(where_of(empty) == "/name;");
  const auto charset = co_await world.call(
      {"POST", "/v1/groups", owner, R"({"name":"g1"})", {"Content-Type: Application/JSON; charset=utf-8"}});
  CHECK(charset.status == 201);
}

ASYNC_TEST_CASE("query parameters are declared, single and checked", "[api][dispatch]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto ask = [&](std::string target) -> asio::awaitable<std::string> {
    const auto response = co_await world.call({"GET", std::move(target), tenant.token(Role::owner)});
    co_return response.status == 200 ? "ok" : std::to_string(response.status) + " " + where_of(response);
  };
  const std::pair<std::string, std::string> table[] = {{"/v1/jobs?limit=5&state=failed", "ok"},
                                                       {"/v1/jobs?limit=0", "400 ?limit;"},
                                                       {"/v1/jobs?limit=201", "400 ?limit;"},
                                                       {"/v1/jobs?limit=1&limit=2", "400 ?limit;"},
                                                       {"/v1/jobs?state=broken", "400 ?state;"},
                                                       {"/v1/jobs?page=2", "400 ?;"},
                                                       {"/v1/jobs?since=2026-01-31T09:30:00Z", "ok"},
                                                       {"/v1/jobs?since=now", "400 ?since;"},
                                                       {"/v1/jobs?until=2026-01-31T09:30:00Z", "ok"},
                                                       {"/v1/jobs?until=now", "400 ?until;"},
                                                       {"/v1/organisation?x=1", "400 ?;"}};
  for (const auto& [target, expected] : table) {
    const auto got = co_await ask(target);
    INFO(target);
    CHECK(got == expected);
  }
}

ASYNC_TEST_CASE("a malformed id is the same 404 as an absent one", "[api][dispatch]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto absent =
      co_await world.call({"GET", "/v1/agents/agt_01J9Z3ZZZZZZZZZZZZZZZZZZZZ", tenant.token(Role::owner)});
  for (const auto* id : {"x", "agt_01j9z3zzzzzzzzzzzzzzzzzzzz", "usr_01J9Z3ZZZZZZZZZZZZZZZZZZZZ", "%27%20OR%201=1"}) {
    const auto response = co_await world.call({"GET", std::string("/v1/agents/") + id, tenant.token(Role::owner)});
    INFO(id);
    CHECK(response.status == 404);
    CHECK(response.body == absent.body);
  }
}

ASYNC_TEST_CASE("pages follow one another and end", "[api][dispatch]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  for (const auto* name : {"g1", "g2", "g3", "g4"}) {
    world.clock.advance(std::chrono::milliseconds(1));
    const auto made = co_await world.call(
        {"POST", "/v1/groups", tenant.token(Role::owner), R"({"name":")" + std::string(name) + "\"}"});
    CHECK(made.status == 201);
    CHECK(header_of(made, "Location").starts_with("/v1/groups/grp_"));
  }
  std::vector<std::string> names;
  std::string cursor;
  int pages = 0;
  do {
    const auto response = co_await world.call(
        {"GET", "/v1/groups?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor), tenant.token(Role::viewer)});
    REQUIRE(response.status == 200);
    const auto page = json_of(response);
    for (const auto& group : page.find("items")->as_list()) names.push_back(text_of(group, "name"));
    cursor = text_of(page, "next");
    ++pages;
  } while (!cursor.empty() && pages < 10);
  CHECK(names == std::vector<std::string>{"dc1", "g1", "g2", "g3", "g4"});
  CHECK(pages == 3);
}

ASYNC_TEST_CASE("open routes need no token", "[api][meta]") {
  World world(co_await asio::this_coro::executor);
  const auto live = co_await world.call({.target = "/livez"});
  CHECK(live.body == "ok\n");
  const auto ready = co_await world.call({.target = "/readyz"});
  CHECK(ready.body == "ready\n");
  const auto yaml = co_await world.call({.target = "/openapi.yaml"});
  CHECK(yaml.body.starts_with("openapi: 3.1.0"));
  const auto json = co_await world.call({.target = "/openapi.json"});
  CHECK(text_of(json_of(json), "openapi") == "3.1.0");
  const auto schema = co_await world.call({.target = "/v1/schemas/recipe"});
  CHECK(header_of(schema, "Content-Type") == "application/schema+json");
  CHECK(json_of(schema).find("properties") != nullptr);
}

ASYNC_TEST_CASE("whoami and metrics", "[api][meta]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("acme");
  const auto who = json_of(co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::viewer)}));
  CHECK(text_of(*who.find("organisation"), "name") == "acme");
  CHECK(text_of(who, "role") == "viewer");
  CHECK(who.find("scopes")->as_list().size() == domain::scopes_of(Role::viewer).list().size());
  const auto admin = co_await world.platform_token();
  const auto metrics = co_await world.call({.target = "/metrics", .token = admin});
  CHECK(metrics.status == 200);
  CHECK(metrics.body.find("# TYPE sallyport_api_auth_failures_total counter") != std::string::npos);
}

ASYNC_TEST_CASE("queued jobs and their age are visible on /metrics", "[api][meta][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  const auto targets = co_await world.make_targets(tenant);
  co_await world.start(tenant, targets.recipe);
  world.clock.advance(std::chrono::seconds(75));
  const auto figures = (co_await world.call({"GET", "/metrics", admin})).body;
  INFO(figures);
  const auto labels = fmt::format("{{org=\"{}\",group=\"{}\"}}", tenant.org.value, tenant.group.value);
  CHECK(figures.find("sallyport_queue_jobs" + labels + " 2\n") != std::string::npos);
  CHECK(figures.find("sallyport_queue_oldest_seconds" + labels + " 75\n") != std::string::npos);
  CHECK(figures.find("sallyport_jobs{state=\"queued\"} 2\n") != std::string::npos);
  CHECK(figures.find("sallyport_jobs{state=\"running\"} 0\n") != std::string::npos);
  CHECK(figures.find("sallyport_jobs_oldest_queued_seconds 75\n") != std::string::npos);
  const auto group =
      json_of(co_await world.call({"GET", "/v1/groups/" + tenant.group.value, tenant.token(Role::viewer)}));
  CHECK(group.find("queued")->as_int() == 2);
  CHECK_FALSE(group.find("oldest_queued_at")->is_null());
}
