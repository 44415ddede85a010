// The pages and calls by which a person authorizes a connection.
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::test;

namespace {

const std::string kCallback = "/oauth2/callback?code=c0de&iss=https%3A%2F%2Flogin.example.com&session_state=x&state=";

}  // namespace

ASYNC_TEST_CASE("a browser that comes back gets a page that repeats nothing", "[api][authorizations]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto unknown = co_await world.call({"GET", kCallback + "%3Cscript%3Ealert(1)%3C%2Fscript%3E"});
  CHECK(unknown.status == 404);
  const auto stale = co_await world.call({"GET", kCallback + "st4te-of-nobody"});
  CHECK(stale.status == 404);
  const auto good = co_await world.call({"GET", kCallback + std::string(kStateOfTest)});
  CHECK(good.status == 200);
  world.authorizations.refused = "<b>why</b>";
  const auto refused = co_await world.call({"GET", kCallback + std::string(kStateOfTest) + "&error=access_denied"});
  CHECK(refused.status == 400);
  CHECK(world.authorizations.taken.code == "c0de");
  CHECK(world.authorizations.taken.issuer == "https://login.example.com");
  CHECK(world.authorizations.taken.error == "access_denied");
  for (const auto* page : {&unknown, &stale, &good, &refused}) {
    const auto* type = page->headers.find("Content-Type");
    REQUIRE(type != nullptr);
    CHECK(*type == "text/html; charset=utf-8");
    for (const char* said : {"c0de", "st4te", "login.example.com", "access_denied", "<b>", "script"})
      CHECK_FALSE(page->body.contains(said));
  }
}

ASYNC_TEST_CASE("what a browser brought stands in the ledger, without the code", "[api][authorizations][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto token = tenant.token(domain::Role::editor);
  const auto body = fmt::format(R"({{"agent":"{}","connection":"erp-api"}})", targets.agent.value);
  world.news();
  const auto begun = co_await world.call({"POST", "/v1/authorizations", token, body});
  CHECK(begun.status == 201);
  CHECK(begun.body.contains("https://login.example.com/authorize"));
  const auto shown = co_await world.call({"GET", "/v1/authorizations/" + world.authorizations.last.id.value, token});
  CHECK_FALSE(shown.body.contains("login.example.com"));
  (void)co_await world.call({"GET", kCallback + std::string(kStateOfTest)});
  world.authorizations.refused = "no";
  (void)co_await world.call({"GET", kCallback + std::string(kStateOfTest)});
  const auto news = world.news();
  REQUIRE(news.size() == 3);
  CHECK(to_json(news[0].event).contains("\"connection.authorize\""));
  CHECK(to_json(news[1].event).contains("\"connection.authorized\""));
  CHECK(to_json(news[1].event).contains("\"done\""));
  CHECK(to_json(news[2].event).contains("\"refused\""));
  for (const auto& one : news) {
    CHECK(one.ledger == tenant.org);
    CHECK_FALSE(to_json(one.event).contains("c0de"));
    CHECK_FALSE(to_json(one.event).contains(kStateOfTest));
  }
}

ASYNC_TEST_CASE("why an agent does not begin an authorization is told", "[api][authorizations]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto body = fmt::format(R"({{"agent":"{}","connection":"erp-api"}})", targets.agent.value);
  world.authorizations.fault = Error{Errc::conflict, "the connection erp-api has no `grant: authorization_code`"};
  const auto refused = co_await world.call({"POST", "/v1/authorizations", tenant.token(domain::Role::editor), body});
  CHECK(refused.status == 409);
  CHECK(refused.body.contains("authorization_code"));
}
