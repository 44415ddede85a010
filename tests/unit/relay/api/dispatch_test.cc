#include "relay/api/api_token.h"
#include "relay/api/problems.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/broken_ledger.h"
#include "tests/support/failing_vfs.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

#include <set>

// What holds for every call: authentication, rates, media types, idempotency keys, answers.
using namespace sallyport;
using namespace std::string_view_literals;
using namespace sallyport::test;
using domain::Role;

namespace {

std::string header_of(const http::Response& response, std::string_view name) {
  const auto* value = response.headers.find(name);
  return value == nullptr ? std::string() : *value;
}

std::string code_of(const http::Response& response) { return text_of(json_of(response), "code"); }

std::string where_of(const http::Response& response) {
  std::string out;
  const auto body = json_of(response);
  for (const auto& item : body.find("errors")->as_list()) out += text_of(item, "where") + ";";
  return out;
}

}  // namespace

ASYNC_TEST_CASE("all ways to be unauthenticated look the same", "[api][auth]") {
  World world(co_await asio::this_coro::executor, {.auth_failures = {.free_failures = 100}});
  const auto tenant = co_await world.settle("a");
  const auto good = tenant.token(Role::owner);
  const auto revoked = co_await world.call({"POST", "/v1/tokens", good, R"({"name":"r"})"});
  const auto revoked_id = text_of(json_of(revoked), "id");
  const auto gone = co_await world.call({"DELETE", "/v1/tokens/" + revoked_id, good});
  CHECK(gone.status == 204);
  const auto brief = co_await world.call({"POST", "/v1/tokens", good, R"({"name":"b","expires_in":"1m"})"});
  world.clock.advance(std::chrono::minutes(2));

  auto wrong_secret = good;
  wrong_secret[40] = wrong_secret[40] == 'A' ? 'B' : 'A';
  auto unknown = good;
  unknown[20] = unknown[20] == 'A' ? 'B' : 'A';
  std::set<std::string> bodies;
  const std::vector<std::string> lines = {"",
                                          "Authorization: Bearer " + wrong_secret,
                                          "Authorization: Bearer " + unknown,
                                          "Authorization: Bearer " + text_of(json_of(revoked), "secret"),
                                          "Authorization: Bearer " + text_of(json_of(brief), "secret"),
                                          "Authorization: Bearer nonsense",
                                          "Authorization: Basic dXNlcjpwYXNz",
                                          "Authorization: Bearer",
                                          "Authorization: " + good};
  for (const auto& line : lines) {
    Ask ask{"GET", "/v1/whoami"};
    if (!line.empty()) ask.headers.push_back(line);
    const auto response = co_await world.call(std::move(ask));
    INFO(line);
    CHECK(response.status == 401);
    CHECK(header_of(response, "WWW-Authenticate") == "Bearer realm=\"sallyport\"");
    bodies.insert(response.body);
  }
  CHECK(bodies.size() == 1);
  const auto fine = co_await world.call({"GET", "/v1/whoami", good});
  CHECK(fine.status == 200);
}

ASYNC_TEST_CASE("guessing tokens blocks the source, is audited once, and leaves others alone", "[api][auth]") {
  World world(co_await asio::this_coro::executor, {.auth_failures = {.free_failures = 3}});
  const auto tenant = co_await world.settle("a");
  std::vector<int> statuses;
  for (int i = 0; i < 6; ++i) {
    const auto response =
        co_await world.call({.target = "/v1/whoami", .headers = {"Authorization: Bearer x"}, .peer = "192.0.2.66"});
    statuses.push_back(response.status);
  }
  CHECK(statuses == std::vector<int>{401, 401, 401, 401, 429, 429});
  const auto blocked =
      co_await world.call({.target = "/v1/whoami", .headers = {"Authorization: Bearer x"}, .peer = "192.0.2.66"});
  CHECK(header_of(blocked, "Retry-After") == "1");
  CHECK(blocked.body.find("Authentication failed too often") != std::string::npos);
  const auto neighbour =
      co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::owner), .peer = "192.0.2.66"});
  CHECK(neighbour.status == 200);  // many may share an address
  const auto still =
      co_await world.call({.target = "/v1/whoami", .headers = {"Authorization: Bearer x"}, .peer = "192.0.2.66"});
  CHECK(still.status == 429);
  const auto other = co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::owner)});
  CHECK(other.status == 200);
  const auto news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].ledger == store::system_ledger());
  CHECK(text_of(news[0].event, "action") == "auth.block");
  CHECK(text_of(news[0].event, "target") == "source:192.0.2.66");
  CHECK(world.sink.text.find("auth.failed") != std::string::npos);
}

ASYNC_TEST_CASE("being anonymous is no failed guess", "[api][auth]") {
  World world(co_await asio::this_coro::executor, {.auth_failures = {.free_failures = 1}});
  for (int i = 0; i < 5; ++i) {
    const auto response = co_await world.call({.target = "/v1/whoami"});
    CHECK(response.status == 401);
  }
}

ASYNC_TEST_CASE("a token's use is kept, to the minute", "[api][auth]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::viewer)});
  const auto listed = co_await world.call({.target = "/v1/tokens", .token = tenant.token(Role::owner)});
  int used = 0;
  for (const auto& token : items_of(listed)) used += token.find("last_used_at")->is_null() ? 0 : 1;
  CHECK(used == 2);
  CHECK(listed.body.find("hash") == std::string::npos);
}

ASYNC_TEST_CASE("a token has a rate, and every answer says how much is left", "[api][limits]") {
  World world(co_await asio::this_coro::executor, {.calls = {.per_second = 0.001, .burst = 2}});
  const auto tenant = co_await world.settle("a");
  const auto first = co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::owner)});
  CHECK(header_of(first, "RateLimit-Limit") == "2");
  CHECK(header_of(first, "RateLimit-Remaining") == "1");
  co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::owner)});
  const auto third = co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::owner)});
  CHECK(third.status == 429);
  CHECK(code_of(third) == "exhausted");
  CHECK_FALSE(header_of(third, "Retry-After").empty());
  const auto other = co_await world.call({.target = "/v1/whoami", .token = tenant.token(Role::editor)});
  CHECK(other.status == 200);
}

ASYNC_TEST_CASE("what is refused before its handler says how much is left, and for whom", "[api][limits]") {
  World world(co_await asio::this_coro::executor, {.calls = {.per_second = 0.001, .burst = 5}});
  const auto tenant = co_await world.settle("a");
  const auto& viewer = tenant.token(Role::viewer);
  const std::pair<Ask, int> rows[] = {
      {{"GET", "/v1/agents/x", viewer}, 404},
      {{"GET", "/v1/agents?limit=0", viewer}, 400},
      {{"POST", "/v1/groups", viewer, R"({"name":"g"})"}, 403},
      {{"POST", "/v1/recipes/validate", viewer, "x", {"Content-Type: text/plain"}}, 415},
      {{"GET", "/v1/whoami", viewer}, 200},
      {{"GET", "/v1/whoami", viewer}, 429}};
  int left = 5;
  for (const auto& [ask, status] : rows) {
    const auto answer = co_await world.call(ask);
    INFO(ask.target);
    CHECK(answer.status == status);
    CHECK(header_of(answer, "RateLimit-Limit") == "5");
    CHECK(header_of(answer, "RateLimit-Remaining") == std::to_string(std::max(--left, 0)));
    CHECK_FALSE(header_of(answer, "RateLimit-Reset").empty());
    CHECK(answer.actor.starts_with("token:tok_"));
  }
  const auto nobody = co_await world.call({"GET", "/v1/whoami"});
  CHECK(header_of(nobody, "RateLimit-Limit").empty());
}

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

ASYNC_TEST_CASE("the same Idempotency-Key does it once", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const Ask ask{"POST", "/v1/groups", owner, R"({"name":"g1"})", {"Idempotency-Key: k-1"}};
  const auto first = co_await world.call(ask);
  CHECK(first.status == 201);
  CHECK(world.news().size() == 1);
  const auto second = co_await world.call(ask);
  CHECK(second.status == 201);
  CHECK(second.body == first.body);
  CHECK(header_of(second, "Idempotent-Replay") == "true");
  CHECK(header_of(second, "Location") == header_of(first, "Location"));
  CHECK(world.news().empty());

  const auto another = co_await world.call({"POST", "/v1/groups", owner, R"({"name":"g2"})", {"Idempotency-Key: k-1"}});
  CHECK(another.status == 422);
  CHECK(code_of(another) == "idempotency_key");
  const auto of_editor = co_await world.call(
      {"POST", "/v1/groups", tenant.token(Role::editor), R"({"name":"g1"})", {"Idempotency-Key: k-1"}});
  CHECK(of_editor.status == 409);  // another token: its own key, so the name is simply taken
}

ASYNC_TEST_CASE("a call that failed before any effect may be repeated with its key", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const Ask ask{"POST", "/v1/groups", owner, R"({"name":"dc1"})", {"Idempotency-Key: k-2"}};
  const auto taken = co_await world.call(ask);
  CHECK(taken.status == 409);
  const auto again = co_await world.call(ask);
  CHECK(again.status == 409);
  CHECK(header_of(again, "Idempotent-Replay").empty());
}

ASYNC_TEST_CASE("a call whose outcome is unknown is not repeated by its key", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const Ask ask{"POST", "/v1/groups", tenant.token(Role::owner), R"({"name":"g1"})", {"Idempotency-Key: k-3"}};
  {
    BrokenLedger broken(world.database());
    const auto unknown = co_await world.call(ask);
    CHECK(unknown.status == 500);
  }
  const auto again = co_await world.call(ask);
  CHECK(again.status == 409);
  CHECK(code_of(again) == "in_progress");
}

ASYNC_TEST_CASE("keys that cannot be honoured are refused", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto secret = co_await world.call({"POST", "/v1/tokens", owner, R"({"name":"t"})", {"Idempotency-Key: k"}});
  CHECK(secret.status == 400);
  const auto spaced = co_await world.call({"POST", "/v1/groups", owner, R"({"name":"g"})", {"Idempotency-Key: a b"}});
  CHECK(spaced.status == 400);
  const auto endless = co_await world.call(
      {"POST", "/v1/groups", owner, R"({"name":"g"})", {"Idempotency-Key: " + std::string(129, 'k')}});
  CHECK(endless.status == 400);
}

ASYNC_TEST_CASE("a stored answer is sealed", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  co_await world.call({"POST",
                       "/v1/users",
                       tenant.token(Role::owner),
                       R"({"name":"Canary Name","email":"c@x.test","role":"viewer"})",
                       {"Idempotency-Key: k"}});
  const auto found = co_await world.stores.idempotency_keys.claim(
      tenant.org, {.key = "no such", .request_hash = Bytes(32), .now = world.clock.wall()});
  CHECK(found);
  std::string files;
  for (const auto* name : {"relay.db", "relay.db-wal"}) files += world.folder.has(name) ? world.folder.read(name) : "";
  CHECK(files.find("idempotency_keys") != std::string::npos);
  CHECK(files.find("\"body\":") == std::string::npos);
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

namespace {

// Claims a key as the API does for this call; the claim's own key.
asio::awaitable<std::string> claim_key(World& world, OrgId org, Ask ask, std::string key) {
  api::Caller caller;
  caller.org = org;
  caller.token = api::parse_token(ask.token)->id;
  http::Request request;
  request.head.method = http::Method::post;
  request.head.target = ask.target;
  request.body = ask.body;
  const auto keyed = api::keyed_request(caller, key, request);
  must(co_await world.stores.idempotency_keys.claim(org, {keyed.key, keyed.request_hash, world.clock.wall()}));
  co_return keyed.key;
}

asio::awaitable<std::size_t> count_jobs(World& world, std::string token) {
  const auto listed = co_await world.call({"GET", "/v1/jobs", std::move(token)});
  co_return items_of(listed).size();
}

}  // namespace

// The relay dies when the job is committed and its answer is not.
ASYNC_TEST_CASE("a keyed start or re-run that lost its answer with its relay is still one job",
                "[api][idempotency][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto targets = co_await world.make_targets(tenant);
  const Ask start{
      "POST", "/v1/jobs", owner, fmt::format(R"({{"recipe":"{}"}})", targets.recipe.value), {"Idempotency-Key: k1"}};
  const Ask rerun{
      "POST", fmt::format("/v1/jobs/{}/rerun", targets.ended_job.value), owner, "{}", {"Idempotency-Key: k2"}};
  const auto start_key = co_await claim_key(world, tenant.org, start, "k1");
  const auto rerun_key = co_await claim_key(world, tenant.org, rerun, "k2");
  const auto started = must(co_await world.job_service.start(tenant.org,
                                                             {.recipe = targets.recipe,
                                                              .version = std::nullopt,
                                                              .inputs = Value(ValueMap{}),
                                                              .event_key = "",
                                                              .request_key = start_key},
                                                             {"test"}));
  const auto rerun_job = must(co_await world.job_service.rerun(
      tenant.org, {.job = targets.ended_job, .from_step = "", .request_key = rerun_key}, {"test"}));
  const auto before = co_await count_jobs(world, owner);
  const auto early = co_await world.call(start);
  CHECK(code_of(early) == "in_progress");

  world.clock.advance(std::chrono::minutes(6));
  const auto again = co_await world.call(start);
  CHECK(again.status == 202);
  CHECK(text_of(json_of(again), "id") == started.job.id.value);
  const auto rerun_again = co_await world.call(rerun);
  CHECK(rerun_again.status == 202);
  CHECK(text_of(json_of(rerun_again), "id") == rerun_job.id.value);
  const auto after = co_await count_jobs(world, owner);
  CHECK(after == before);
  const auto replayed = co_await world.call(start);
  CHECK(header_of(replayed, "Idempotent-Replay") == "true");
}

ASYNC_TEST_CASE("keys whose time is over are swept, however many", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  auto& keys = world.stores.idempotency_keys;
  for (int i = 0; i < 600; ++i) {
    must(co_await keys.claim(tenant.org, {std::to_string(i), Bytes(32), world.clock.wall()}));
  }
  world.clock.advance(store::kIdempotencyLife);
  must(co_await keys.claim(tenant.org, {"fresh", Bytes(32), world.clock.wall()}));
  TaskGroup work(co_await asio::this_coro::executor, [](const std::string&, const std::string&) {});
  work.spawn("sweep", api::sweep_expired_keys(keys, world.clock, world.log));
  std::size_t left = 1;
  for (int tries = 0; tries < 200 && left > 0; ++tries) {
    co_await sleep_for(std::chrono::milliseconds(10));
    left = must(co_await keys.remove_expired(world.clock.wall(), 1));
  }
  CHECK(left == 0);
  work.stop();
  co_await work.join();
  const auto fresh = must(co_await keys.claim(tenant.org, {"fresh", Bytes(32), world.clock.wall()}));
  CHECK(std::holds_alternative<store::InProgress>(fresh));
}

ASYNC_TEST_CASE("a full queue and a full disk say what they are", "[api][problems]") {
  const auto queue = api::to_problem({Errc::exhausted, "100000 jobs wait for this agent group already"});
  CHECK(queue.status == 429);
  CHECK(queue.detail.find("100000 jobs wait") != std::string::npos);
  const auto disk = api::to_problem({Errc::unavailable, "the relay's database cannot grow: free disk space"});
  CHECK(disk.status == 503);
  CHECK(disk.detail.find("free disk space") != std::string::npos);
  co_return;
}

ASYNC_TEST_CASE("a disk that takes nothing: every change says so, and so does /readyz", "[api][problems]") {
  FailingVfs vfs;
  World world(co_await asio::this_coro::executor, {}, vfs.name());
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto owner = tenant.token(Role::owner);
  co_await world.call({"GET", "/v1/whoami", owner});  // the token's last use is noted now
  const Ask changes[] = {{"POST", "/v1/tokens", owner, R"({"name":"t"})"},
                         {"POST", "/v1/jobs/" + targets.job.value + "/cancel", owner},
                         {"POST", "/v1/agents/" + targets.agent.value + "/revoke", owner},
                         {"POST", "/v1/groups", owner, R"({"name":"g1"})", {"Idempotency-Key: k-1"}}};
  vfs.fail_at(1, FailingVfs::Kind::crash);
  for (const auto& change : changes) {
    const auto refused = co_await world.call(change);
    INFO(change.target << ": " << refused.body);
    CHECK(refused.status == 503);
    CHECK(refused.body.find("disk") != std::string::npos);
    CHECK(header_of(refused, "Retry-After") == "10");
  }
  for (int i = 0; i < 2; ++i) {
    const auto unready = co_await world.call({.target = "/readyz"});
    INFO(unready.body);
    CHECK(unready.status == 503);
    CHECK(unready.body.find("the store cannot write") != std::string::npos);
  }
  vfs.heal();
  const auto ready = co_await world.call({.target = "/readyz"});
  CHECK(ready.status == 200);
  const auto made = co_await world.call(changes[0]);
  CHECK(made.status == 201);
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
