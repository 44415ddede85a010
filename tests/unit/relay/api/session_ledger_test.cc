#include "relay/api/session_ledger.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/base/text.h"
#include "tests/support/async_test.h"
#include "tests/support/broken_ledger.h"
#include "tests/support/memory_stream.h"
#include "tests/unit/relay/api/answers.h"

#include <fmt/format.h>

#include <optional>

// What the audit ledger hears of sessions of workstations.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

api::SessionFacts facts(const Tenant& tenant, std::string tunnel = "tunnel:tun_1") {
  return {tenant.org, "token:tok_1", UserId("usr_1"), std::move(tunnel), "192.0.2.7", "req-1"};
}

// "action outcome reason" of each.
std::vector<std::string> told(World& world) {
  std::vector<std::string> rows;
  for (const auto& row : world.news()) {
    const auto& detail = *row.event.find("detail");
    const auto reason = text_of(detail, "reason");
    rows.push_back(fmt::format("{} {}{}{}", text_of(row.event, "action"), text_of(row.event, "outcome"),
                               reason.empty() ? "" : " ", reason));
  }
  return rows;
}

asio::awaitable<std::string> place_of_new(World& world, Tenant tenant) {
  const auto made = co_await world.call(
      {"POST", "/v1/tunnels", tenant.token(Role::editor), R"({"name":"erp","group_name":"dc1","target":"db:5432"})"});
  REQUIRE(made.status == 201);
  co_return "/v1/tunnels/" + text_of(json_of(made), "id");
}

// The rows that come by themselves.
asio::awaitable<std::vector<Seen>> next_news(World& world) {
  for (;;) {
    auto news = world.news();
    if (!news.empty()) co_return news;
    co_await sleep_for(std::chrono::milliseconds(1));
  }
}

// As the web edge does with an answer that is a session.
asio::awaitable<void> hold(World& world, Ask ask) {
  auto reply = co_await world.play(std::move(ask));
  auto* upgrade = std::get_if<http::UpgradeResponse>(&reply);
  REQUIRE(upgrade != nullptr);
  auto line = memory_line(co_await asio::this_coro::executor);
  co_await upgrade->serve(std::move(line.a));
}

}  // namespace

ASYNC_TEST_CASE("of many equal sessions the ledger has the first, and one every ten minutes with their number",
                "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  world.clock.freeze();
  api::SessionLedger ledger(world.audit, world.clock, world.log);
  world.news();
  for (int i = 0; i < 1'000; ++i) must(co_await ledger.opened(facts(tenant)));
  auto news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news[0].event, "actor") == "token:tok_1");
  CHECK(text_of(news[0].event, "target") == "tunnel:tun_1");
  CHECK(to_json(*news[0].event.find("detail")) == R"({"from":"192.0.2.7","user":"usr_1"})");
  world.clock.advance(api::SessionLedger::kEvery);
  must(co_await ledger.opened(facts(tenant)));
  news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].event.find("detail")->find("unsaid")->as_int() == 999);
  must(co_await ledger.opened(facts(tenant, "tunnel:tun_2")));  // each tunnel and each reason by itself
  co_await ledger.refused(facts(tenant), "paused");
  co_await ledger.refused(facts(tenant), "paused");
  co_await ledger.refused(facts(tenant), "forbidden");
  co_await ledger.cut(facts(tenant), "revoked");
  const auto rows = told(world);
  CHECK(rows == std::vector<std::string>{"tunnel.open done", "tunnel.open refused paused",
                                         "tunnel.open refused forbidden", "tunnel.cut done revoked"});
}

ASYNC_TEST_CASE("what was not written is written when none comes after it, and when the relay stops",
                "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  world.clock.freeze();
  api::SessionLedger ledger(world.audit, world.clock, world.log, {.look = std::chrono::milliseconds(1)});
  TaskGroup tasks(co_await asio::this_coro::executor, [](const auto& task, const auto& why) { FAIL(task + why); });
  tasks.spawn("ledger", ledger.run());
  for (int i = 0; i < 4; ++i) co_await ledger.refused(facts(tenant), "paused");
  must(co_await ledger.opened(facts(tenant)));
  world.news();
  const auto last_at = rfc3339(world.clock.wall());
  world.clock.advance(api::SessionLedger::kEvery);
  auto news = co_await next_news(world);
  REQUIRE(news.size() == 1);
  CHECK(text_of(news[0].event, "outcome") == "refused");
  const auto detail = *news[0].event.find("detail");
  CHECK(text_of(detail, "last_at") == last_at);
  CHECK(detail.find("unsaid")->as_int() == 2);
  CHECK(ledger.size() == 1);  // the other has nothing left to say
  co_await ledger.refused(facts(tenant), "paused");
  CHECK(world.news().empty());  // that row was one of theirs, so it is quiet again
  ledger.stop();
  co_await tasks.join();
  news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].event.find("detail")->find("unsaid") == nullptr);  // it stands for itself
}

ASYNC_TEST_CASE("the memory of what the ledger was told of is bounded", "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  api::SessionLedger ledger(world.audit, world.clock, world.log, {.most = 5});
  for (int i = 0; i < 12; ++i) {
    co_await ledger.refused(facts(tenant, fmt::format("tunnel:{}", i)), "paused");
    CHECK(ledger.size() <= 5);
  }
}

ASYNC_TEST_CASE("a session is in the ledger when it is opened, refused and cut", "[api][tunnels][audit][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto place = co_await place_of_new(world, tenant);
  const Ask ask{"GET", place + "/session", tenant.token(Role::editor)};
  world.news();
  co_await hold(world, ask);
  auto rows = told(world);
  CHECK(rows == std::vector<std::string>{"tunnel.open done"});
  for (const auto* code : {"revoked", "forbidden", "paused", "expired", "removed", "unavailable"}) {
    world.desk.cut = tunnels::Denial{code, "over"};
    co_await hold(world, ask);
    rows = told(world);
    CHECK(rows == std::vector<std::string>{fmt::format("tunnel.cut done {}", code)});
  }
  world.desk.cut = tunnels::Denial{"stopping", "the relay is stopping"};
  co_await hold(world, ask);
  rows = told(world);
  CHECK(rows.empty());
  (void)co_await world.play({"GET", place + "/session", tenant.token(Role::viewer)});
  rows = told(world);
  CHECK(rows == std::vector<std::string>{"tunnel.open refused forbidden"});
  for (const auto& [code, reason] : {std::pair{Errc::exhausted, "too_many"}, {Errc::conflict, "expired"}}) {
    world.desk.session_fault = Error{code, "as the desk says"};
    (void)co_await world.play(ask);
    rows = told(world);
    CHECK(rows == std::vector<std::string>{fmt::format("tunnel.open refused {}", reason)});
  }
  const auto paused = co_await world.call({"POST", place + "/pause", tenant.token(Role::editor)});
  CHECK(paused.status == 200);
  world.news();
  (void)co_await world.play(ask);
  rows = told(world);
  CHECK(rows == std::vector<std::string>{"tunnel.open refused paused"});
  world.desk.session_fault = Error{Errc::unavailable, "the relay is stopping"};  // says nothing of the caller
  (void)co_await world.play(ask);
  rows = told(world);
  CHECK(rows.empty());
}

ASYNC_TEST_CASE("who lacks the scope is in the ledger once, whatever tunnels they name",
                "[api][tunnels][audit][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto made = json_of(co_await world.call(
      {"POST", "/v1/tokens", tenant.token(Role::owner), R"({"name":"t","scopes":["tunnels:read"]})"}));
  const auto token = text_of(made, "secret");
  REQUIRE_FALSE(token.empty());
  world.news();
  for (char last = 'A'; last < 'F'; ++last) {
    const auto refused =
        co_await world.call({"GET", fmt::format("/v1/tunnels/tun_01J0000000000000000000000{}/session", last), token});
    CHECK(refused.status == 403);
  }
  const auto rows = told(world);
  CHECK(rows == std::vector<std::string>{"tunnel.open refused no_right"});
}

ASYNC_TEST_CASE("a session that cannot be recorded is not opened, and is recorded when that is possible again",
                "[api][tunnels][audit][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto place = co_await place_of_new(world, tenant);
  const Ask ask{"GET", place + "/session", tenant.token(Role::editor)};
  co_await world.call({"GET", "/v1/whoami", ask.token});
  {
    BrokenLedger broken(world.database());
    co_await hold(world, ask);
    CHECK(world.desk.served == 0);
  }
  world.news();
  co_await hold(world, ask);
  CHECK(world.desk.served == 1);
  const auto rows = told(world);
  CHECK(rows == std::vector<std::string>{"tunnel.open done"});
}
