#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/support/broken_ledger.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/tunnel_asks.h"

#include <algorithm>
#include <optional>

// Tunnels are made, paused, resumed and removed over the web API, beyond what the registry's tests cover of every
// route.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("a tunnel is made with its defaults, told at once whether its target answers, and audited",
                "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  world.desk.answer = reached(targets.agent);
  world.desk.told.clear();
  world.news();
  const auto made = co_await world.call(order(tenant, R"("listen":"127.0.0.1:15432")"));
  INFO(made.body);
  REQUIRE(made.status == 201);
  const auto tunnel = json_of(made);
  CHECK(header_of(made, "Location") == place_of(tunnel));
  CHECK(misfit("CreatedTunnel", tunnel).empty());
  CHECK(text_of(tunnel, "target") == "db.internal:5432");
  CHECK(text_of(tunnel, "listen") == "127.0.0.1:15432");
  CHECK(text_of(tunnel, "status") == "active");
  CHECK(text_of(tunnel, "group") == tenant.group.value);
  CHECK(text_of(tunnel, "created_by") == tenant.users.at(Role::editor).value);
  CHECK(tunnel.find("agent")->is_null());
  CHECK(tunnel.find("expires_at")->is_null());
  CHECK(to_json(*tunnel.find("networks")) == R"(["127.0.0.0/8","::1/128"])");
  CHECK(to_json(*tunnel.find("limits")) == R"({"bytes_per_second":0,"connections":100,"idle_seconds":0})");
  CHECK(to_json(*tunnel.find("entrance")) == R"({"problem":null,"state":"listening"})");
  CHECK(to_json(*tunnel.find("reach")) ==
        fmt::format(R"({{"agent":"{}","allowed":true,"answers":true,"asked":true,"connect_ms":12,"detail":"",)"
                    R"("rule":null}})",
                    targets.agent.value));
  CHECK(world.desk.told == std::vector<std::string>{"put active erp-db", "reach db.internal:5432"});
  const auto news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news[0].event, "target") == "tunnel:" + text_of(tunnel, "id"));
  const auto& detail = *news[0].event.find("detail");
  CHECK(text_of(detail, "name") == "erp-db");
  CHECK(text_of(detail, "to") == "db.internal:5432");
  CHECK(text_of(detail, "listen") == "127.0.0.1:15432");
  CHECK(text_of(detail, "group") == tenant.group.value);
}

ASYNC_TEST_CASE("everything that can be said of a tunnel is kept in its canonical form", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto end = rfc3339(world.clock.wall() + std::chrono::hours(24 * 366));
  const auto kept = co_await world.call(
      {"POST", "/v1/tunnels", tenant.token(Role::editor),
       fmt::format(
           R"({{"name":"all","group":"{}","agent":"{}","target":"[2001:DB8:0:0::1]:443","listen":"[0::1]:8443",)"
           R"("networks":["10.0.0.0/8","2001:db8:0::/48","192.0.2.7","2001:DB8::/48","192.0.2.7/32"],"expires_at":"{}",)"
           R"("limits":{{"connections":1000,"bytes_per_second":1000000,"idle_seconds":600}}}})",
           tenant.group.value, targets.agent.value, end)});
  INFO(kept.body);
  REQUIRE(kept.status == 201);
  const auto shown = json_of(co_await world.call({"GET", place_of(json_of(kept)), tenant.token(Role::viewer)}));
  CHECK(misfit("Tunnel", shown).empty());
  CHECK(text_of(shown, "agent") == targets.agent.value);
  CHECK(text_of(shown, "target") == "[2001:db8::1]:443");
  CHECK(text_of(shown, "listen") == "[::1]:8443");
  CHECK(to_json(*shown.find("networks")) == R"(["10.0.0.0/8","2001:db8::/48","192.0.2.7/32"])");
  CHECK(text_of(shown, "expires_at") == end);
  CHECK(to_json(*shown.find("limits")) == R"({"bytes_per_second":1000000,"connections":1000,"idle_seconds":600})");
}

ASYNC_TEST_CASE("what is wrong with the order of a tunnel is said of its member, and nothing is made",
                "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto now = world.clock.wall();
  const auto body = [](std::string_view members) { return fmt::format(R"({{"group_name":"dc1",{}}})", members); };
  const auto with = [&](std::string_view members) {
    return body(fmt::format(R"("name":"t","target":"a:1",{})", members));
  };
  struct Row {
    std::string body, where, what;
  };
  std::vector<Row> rows{
      {body(R"("target":"a:1")"), "/name", "is missing"},
      {body(R"("name":"t")"), "/target", "is missing"},
      {body(R"("name":"T","target":"a:1")"), "/name", "lower-case"},
      {body(R"("name":"t t","target":"a:1")"), "/name", "lower-case"},
      {body(fmt::format(R"("name":"{}","target":"a:1")", std::string(64, 't'))), "/name", "at most 63"},
      {with(R"("listen":"localhost:1")"), "/listen", "must be an address"},
      {with(R"("listen":"127.0.0.1")"), "/listen", "must be an address"},
      {with(R"("listen":"127.0.0.1:0")"), "/listen", "must be an address"},
      {with(R"("listen":"127.0.0.1:65536")"), "/listen", "must be an address"},
      {with(R"("listen":"::1:80")"), "/listen", "must be an address"},
      {with(R"("listen":"[fe80::1%eth0]:80")"), "/listen", "must be an address"},
      {with(R"("listen":15432)"), "/listen", "must be text"},
      {with(R"("networks":[])"), "/networks", "from 1 to 32 entries"},
      {with(R"("networks":["10.0.0.0/33"])"), "/networks", "not a network"},
      {with(R"("networks":["10.0.0.0/8","10.0.0.1/8"])"), "/networks", "bits are set behind the prefix"},
      {with(R"("networks":["anywhere"])"), "/networks", "not a network"},
      {with(R"("networks":"10.0.0.0/8")"), "/networks", "must be a list"},
      {with(R"("limits":{"connections":0})"), "/limits/connections", "from 1 to 1000"},
      {with(R"("limits":{"connections":1001})"), "/limits/connections", "from 1 to 1000"},
      {with(R"("limits":{"bytes_per_second":-1})"), "/limits/bytes_per_second", "must be from 0"},
      {with(R"("limits":{"idle_seconds":31622401})"), "/limits/idle_seconds", "must be from 0"},
      {with(R"("limits":{"idle":5})"), "/limits", "unknown member"},
      {with(R"("limits":7)"), "/limits", "must be an object"},
      {with(R"("agent":"erp-host")"), "/agent", "must be an id"},
      {with(R"("expires_at":"tomorrow")"), "/expires_at", "must be a time"},
      {with(fmt::format(R"("expires_at":"{}")", rfc3339(now))), "/expires_at", "must be in the future"},
      {with(fmt::format(R"("expires_at":"{}")", rfc3339(now + std::chrono::hours(24 * 366 + 1)))), "/expires_at",
       "at most 366 days"},
      {with(R"("tarrget":"a:1")"), "/", "did you mean"},
  };
  for (const auto* bad : {"db.internal", "db.internal:", "db.internal:0", "db.internal:65536", ":5432", "db:5432:1",
                          "a b:1", "[::1]", "::1:22", "http://db:80", "db:5432/x", "db:+1"})
    rows.push_back({body(fmt::format(R"("name":"t","target":"{}")", bad)), "/target", "not a target"});
  world.news();
  for (const auto& row : rows) {
    const auto refused = co_await world.call({"POST", "/v1/tunnels", tenant.token(Role::editor), row.body});
    INFO(row.body << "\n" << refused.body);
    REQUIRE(refused.status == 422);
    CHECK(code_of(refused) == "invalid");
    const auto problem = json_of(refused);
    const auto& errors = problem.find("errors")->as_list();
    REQUIRE(errors.size() == 1);
    CHECK(text_of(errors[0], "where") == row.where);
    CHECK_THAT(text_of(errors[0], "what"), Catch::Contains(row.what));
  }
  for (const auto& row : world.news()) CHECK(text_of(row.event, "outcome") == "failed");
  CHECK(world.desk.told.empty());
  const auto listed = co_await world.call({"GET", "/v1/tunnels", tenant.token(Role::viewer)});
  CHECK(items_of(listed).empty());
}

ASYNC_TEST_CASE("a tunnel's group is named once, and exists", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto ask = [&](const std::string& members) {
    return Ask{"POST", "/v1/tunnels", tenant.token(Role::editor), R"({"name":"t","target":"a:1")" + members + "}"};
  };
  const auto none = co_await world.call(ask(""));
  CHECK(none.status == 422);
  CHECK_THAT(none.body, Catch::Contains("group or group_name"));
  const auto both = co_await world.call(ask(fmt::format(R"(,"group_name":"dc1","group":"{}")", tenant.group.value)));
  CHECK(both.status == 422);
  const auto absent = co_await world.call(ask(R"(,"group_name":"dc9")"));
  CHECK(absent.status == 404);
  // The agent is of dc1.
  const auto elsewhere =
      co_await world.call(ask(fmt::format(R"(,"group":"{}","agent":"{}")", targets.group.value, targets.agent.value)));
  CHECK(elsewhere.status == 404);
  CHECK(world.desk.told.empty());
}

ASYNC_TEST_CASE("a name and a listener belong to one tunnel", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto theirs = co_await world.settle("b");
  const std::string listen = R"("listen":"127.0.0.1:15432")";
  const auto first = co_await world.call(order(tenant, listen));
  REQUIRE(first.status == 201);
  const auto same_name = co_await world.call(order(tenant));
  CHECK(same_name.status == 409);
  const auto same_listener = co_await world.call(order(tenant, listen, "other"));
  CHECK(same_listener.status == 409);
  const auto foreign = co_await world.call(order(theirs, listen));
  INFO(foreign.body);
  CHECK(foreign.status == 409);
  CHECK(foreign.body.find("erp-db") == std::string::npos);
  const auto removed = co_await world.call({"DELETE", place_of(json_of(first)), tenant.token(Role::editor)});
  CHECK(removed.status == 204);
  const auto early = co_await world.call(order(theirs, listen));  // its clients may still come
  CHECK(early.status == 409);
  CHECK(early.body.find("erp-db") == std::string::npos);
  const auto again = co_await world.call(order(tenant, listen));
  CHECK(again.status == 201);
}

ASYNC_TEST_CASE("a tunnel is made although no agent answers, or its policy refuses: the answer says so",
                "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto alone = co_await world.call(order(tenant));
  REQUIRE(alone.status == 201);
  const auto nobody = *json_of(alone).find("reach");
  CHECK(nobody == *parse_json(R"({"asked":false,"agent":null,"allowed":false,"rule":null,"answers":false,
                                  "detail":"no agent of the group is linked","connect_ms":0})"));
  world.desk.answer = {.asked = true,
                       .agent = targets.agent,
                       .allowed = false,
                       .rule = "policy.yaml:1 tunnels",
                       .answers = false,
                       .detail = "the policy allows no such target"};
  const auto place = place_of(json_of(alone));
  world.news();
  const auto checked = co_await world.call({"POST", place + "/check", tenant.token(Role::editor)});
  CHECK(checked.status == 200);
  CHECK(text_of(json_of(checked), "rule") == "policy.yaml:1 tunnels");
  CHECK_FALSE(json_of(checked).find("allowed")->as_bool());
  CHECK(world.news().empty());  // nothing was changed
  const auto by_viewer = co_await world.call({"POST", place + "/check", tenant.token(Role::viewer)});
  CHECK(by_viewer.status == 403);
  CHECK(std::ranges::count(world.desk.told, "reach db.internal:5432") == 2);
}

ASYNC_TEST_CASE("where the relay may not listen no tunnel is made", "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  world.desk.listener_fault = Error{Errc::forbidden, "this relay listens on 127.0.0.0/8 only"};
  world.news();
  const auto refused = co_await world.call(order(tenant, R"("listen":"8.8.8.8:15432")"));
  CHECK(refused.status == 422);
  const auto problem = json_of(refused);
  const auto& error = problem.find("errors")->as_list().at(0);
  CHECK(text_of(error, "where") == "/listen");
  CHECK(text_of(error, "what") == "this relay listens on 127.0.0.0/8 only");
  CHECK(actions_of(world.news()) == std::vector<std::string>{"tunnel.create failed"});
  CHECK(world.desk.told.empty());
  const auto without = co_await world.call(order(tenant));  // no listener, nothing to refuse
  CHECK(without.status == 201);
}

ASYNC_TEST_CASE("where the relay has no room to listen no tunnel is made, and nobody is told to try again soon",
                "[api][tunnels]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  world.desk.listener_fault = Error{Errc::exhausted, "21 ports are open already: raise the open files"};
  world.news();
  const auto refused = co_await world.call(order(tenant, R"("listen":"127.0.0.1:15432")"));
  INFO(refused.body);
  CHECK(refused.status == 409);
  CHECK(code_of(refused) == "conflict");
  CHECK_THAT(refused.body, Catch::Contains("raise the open files"));
  CHECK(header_of(refused, "Retry-After").empty());
  CHECK(actions_of(world.news()) == std::vector<std::string>{"tunnel.create failed"});
  CHECK(world.desk.told.empty());
  const auto listed = co_await world.call({"GET", "/v1/tunnels", tenant.token(Role::viewer)});
  CHECK(items_of(listed).empty());
}

ASYNC_TEST_CASE("a tunnel that cannot listen is not left behind", "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  struct Row {
    Errc code;
    int status;
  };
  const auto ask = order(tenant, R"("listen":"127.0.0.1:15432")");
  for (const auto& row : {Row{Errc::conflict, 409}, Row{Errc::invalid, 422}, Row{Errc::forbidden, 422},
                          Row{Errc::unavailable, 503}, Row{Errc::exhausted, 409}}) {
    world.desk.put_fault = Error{row.code, "the address is in use"};
    world.desk.told.clear();
    world.news();
    auto keyed = ask;
    keyed.headers = {"Idempotency-Key: " + std::string(to_string(row.code))};
    const auto refused = co_await world.call(keyed);
    INFO(refused.body);
    CHECK(refused.status == row.status);
    CHECK_THAT(refused.body, Catch::Contains("the address is in use"));
    const auto news = world.news();
    REQUIRE(actions_of(news) == std::vector<std::string>{"tunnel.create done", "tunnel.remove done"});
    CHECK(text_of(news[0].event, "target") == text_of(news[1].event, "target"));
    CHECK(text_of(*news[1].event.find("detail"), "because") == "tunnel.create");
    CHECK(text_of(*news[1].event.find("detail"), "reason") == "the address is in use");
    REQUIRE(world.desk.told.size() == 2);
    CHECK("tunnel:" + world.desk.told[1].substr(5) == text_of(news[0].event, "target"));
    const auto listed = co_await world.call({"GET", "/v1/tunnels", tenant.token(Role::viewer)});
    CHECK(items_of(listed).empty());
  }
  world.desk.put_fault.reset();
  auto keyed = ask;
  keyed.headers = {"Idempotency-Key: conflict"};
  const auto again = co_await world.call(keyed);  // the key was not used up by what was taken back
  CHECK(again.status == 201);
}

ASYNC_TEST_CASE("a tunnel that can neither listen nor be removed stays whole, and is no success",
                "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  std::optional<BrokenLedger> broken;
  world.desk.put_fault = Error{Errc::conflict, "the address is in use"};
  world.desk.on_put = [&] { broken.emplace(world.database()); };
  world.news();
  const auto refused = co_await world.call(order(tenant, R"("listen":"127.0.0.1:15432")"));
  broken.reset();
  CHECK(refused.status == 500);
  CHECK(actions_of(world.news()) == std::vector<std::string>{"tunnel.create done"});
  CHECK(world.desk.told == std::vector<std::string>{"put active erp-db"});  // not dropped: it is tried again
  const auto listed = co_await world.call({"GET", "/v1/tunnels", tenant.token(Role::viewer)});
  CHECK(items_of(listed).size() == 1);
}

ASYNC_TEST_CASE("a keyed order of a tunnel makes one", "[api][tunnels][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  auto ask = order(tenant);
  ask.headers = {"Idempotency-Key: k"};
  const auto first = co_await world.call(ask);
  const auto second = co_await world.call(ask);
  CHECK(second.status == 201);
  CHECK(second.body == first.body);
  CHECK(header_of(second, "Idempotent-Replay") == "true");
  CHECK(std::ranges::count(world.desk.told, "reach db.internal:5432") == 1);
}

ASYNC_TEST_CASE("pausing, resuming and removing reach the desk, and each call the ledger", "[api][tunnels][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& editor = tenant.token(Role::editor);
  const auto place = place_of(json_of(co_await world.call(order(tenant, R"("listen":"127.0.0.1:15432")"))));
  world.desk.told.clear();
  world.news();
  const auto paused = json_of(co_await world.call({"POST", place + "/pause", editor}));
  CHECK(text_of(paused, "status") == "paused");
  CHECK(text_of(*paused.find("entrance"), "state") == "paused");
  const auto twice = co_await world.call({"POST", place + "/pause", editor, "{}"});
  CHECK(twice.status == 200);
  world.desk.put_fault = Error{Errc::conflict, "in use"};
  const auto id = TunnelId(text_of(paused, "id"));
  world.desk.standings[id] = {.entrance = tunnels::EntranceState::failed, .problem = "another program uses the port"};
  const auto resumed = co_await world.call({"POST", place + "/resume", editor});
  CHECK(resumed.status == 200);
  CHECK(text_of(json_of(resumed), "status") == "active");
  CHECK(to_json(*json_of(resumed).find("entrance")) ==
        R"({"problem":"another program uses the port","state":"failed"})");
  const auto removed = co_await world.call({"DELETE", place, editor});
  CHECK(removed.status == 204);
  CHECK(world.desk.told ==
        std::vector<std::string>{"put paused erp-db", "put paused erp-db", "put active erp-db", "drop " + id.value});
  CHECK(actions_of(world.news()) ==
        std::vector<std::string>{"tunnel.pause done", "tunnel.pause done", "tunnel.resume done", "tunnel.remove done"});
  for (const auto& [method, target] : std::vector<std::pair<std::string, std::string>>{
           {"GET", place}, {"DELETE", place}, {"POST", place + "/pause"}, {"POST", place + "/check"}}) {
    const auto gone = co_await world.call({method, target, editor});
    INFO(method << " " << target);
    CHECK(gone.status == 404);
  }
}
