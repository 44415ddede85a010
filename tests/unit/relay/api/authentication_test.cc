#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"

#include <set>

// Who asks, and how often: tokens, guesses, rates.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

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
