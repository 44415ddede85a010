#include "relay/api/tunnel_shapes.h"
#include "shared/base/json.h"
#include "shared/crypto/new_id.h"
#include "tests/support/async_test.h"
#include "tests/support/broken_ledger.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/response_schema.h"

#include <fmt/format.h>

#include <ranges>

// Tunnels over the web API, beyond what the registry's tests cover of every route.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

Ask order(const Tenant& tenant, std::string_view members = "", std::string_view name = "erp-db") {
  return {"POST", "/v1/tunnels", tenant.token(Role::editor),
          fmt::format(R"({{"name":"{}","group_name":"dc1","target":"db.internal:5432"{}{}}})", name,
                      members.empty() ? "" : ",", members)};
}

std::vector<std::string> actions_of(const std::vector<Seen>& rows) {
  std::vector<std::string> actions;
  actions.reserve(rows.size());
  for (const auto& row : rows)
    actions.push_back(fmt::format("{} {}", text_of(row.event, "action"), text_of(row.event, "outcome")));
  return actions;
}

std::string place_of(const Value& tunnel) { return "/v1/tunnels/" + text_of(tunnel, "id"); }

tunnels::Reach reached(const AgentId& agent) {
  return {.asked = true, .agent = agent, .allowed = true, .rule = {}, .answers = true, .detail = {}, .connect_ms = 12};
}

store::TunnelConnection connection(const World& world, const TunnelId& tunnel) {
  return {.id = crypto::new_id<TunnelConnectionId>(world.clock),
          .tunnel = tunnel,
          .source = "127.0.0.1",
          .opened_at = world.clock.wall(),
          .end = {},
          .detail = {}};
}

std::vector<std::string> ids_of(const http::Response& page) {
  std::vector<std::string> ids;
  for (const auto& item : items_of(page)) ids.push_back(text_of(item, "id"));
  return ids;
}

}  // namespace

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

ASYNC_TEST_CASE("who may open a tunnel stands with it", "[api][tunnels][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  struct Row {
    std::string_view name;
    std::string members;
    std::string access;
  };
  const auto token = targets.token.value;
  for (const auto& row : {Row{"usual", "", R"({"roles":["owner","editor"],"tokens":[]})"},
                          Row{"nothing", R"("access":{})", R"({"roles":["owner","editor"],"tokens":[]})"},
                          Row{"viewers", R"("access":{"roles":["viewer","owner","viewer"]})",
                              R"({"roles":["owner","viewer"],"tokens":[]})"},
                          Row{"nobody", R"("access":{"roles":[]})", R"({"roles":[],"tokens":[]})"},
                          Row{"one-token", fmt::format(R"("access":{{"tokens":["{0}","{0}"]}})", token),
                              fmt::format(R"({{"roles":[],"tokens":["{}"]}})", token)}}) {
    INFO(row.name);
    const auto made = co_await world.call(order(tenant, row.members, row.name));
    REQUIRE(made.status == 201);
    CHECK(to_json(*json_of(made).find("access")) == row.access);
  }
  const auto other = co_await world.settle("b");
  const auto foreign = co_await world.make_targets(other);
  for (const auto& [members, status] : {std::pair{std::string(R"("access":{"roles":["admin"]})"), 422},
                                        {R"("access":{"users":[]})", 422},
                                        {R"("access":{"tokens":["x"]})", 422},
                                        {fmt::format(R"("access":{{"tokens":["{}"]}})", foreign.token.value), 404}}) {
    INFO(members);
    const auto refused = co_await world.call(order(tenant, members, "bad"));
    CHECK(refused.status == status);
  }
}

ASYNC_TEST_CASE("a session is given to whom the tunnel lets in, and asked about again", "[api][tunnels][session]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto made = json_of(co_await world.call(order(tenant)));
  const auto session = place_of(made) + "/session";
  const auto refused = co_await world.call({"GET", session, tenant.token(Role::viewer)});
  CHECK(refused.status == 403);
  CHECK_THAT(refused.body, Catch::Contains("access"));
  const auto absent =
      co_await world.call({"GET", fmt::format("/v1/tunnels/{}/session", crypto::new_id<TunnelId>(world.clock).value),
                           tenant.token(Role::editor)});
  CHECK(absent.status == 404);
  for (const auto& [code, status] :
       {std::pair{Errc::conflict, 409}, {Errc::exhausted, 429}, {Errc::unavailable, 503}}) {
    world.desk.session_fault = Error{code, "as the desk says"};
    const auto full = co_await world.call({"GET", session, tenant.token(Role::editor)});
    CHECK(full.status == status);
    CHECK_THAT(full.body, Catch::Contains("as the desk says"));
  }
  world.desk.session_fault.reset();

  auto reply = co_await world.play({"GET", session, tenant.token(Role::editor)});
  const auto* upgrade = std::get_if<http::UpgradeResponse>(&reply);
  REQUIRE(upgrade != nullptr);
  CHECK(upgrade->protocol == "sallyport-tunnel/1");
  CHECK(upgrade->serve);
  REQUIRE(world.desk.openers.size() == 1);
  const auto& opener = world.desk.openers[0];
  CHECK(opener.user == tenant.users.at(Role::editor));
  CHECK_FALSE(opener.source.empty());
  CHECK(upgrade->actor == "token:" + opener.token.value);
  auto denial = must(co_await world.desk.ask());
  CHECK_FALSE(denial);
  must(co_await world.stores.users.change_role(tenant.org, opener.user, Role::viewer, world.clock.wall()));
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "forbidden");
  must(co_await world.stores.users.change_role(tenant.org, opener.user, Role::editor, world.clock.wall()));
  denial = must(co_await world.desk.ask());
  CHECK_FALSE(denial);
  must(co_await world.stores.tunnels.remove(tenant.org, TunnelId(text_of(made, "id")), world.clock.wall()));
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "removed");
  must(co_await world.stores.api_tokens.revoke(tenant.org, opener.token, world.clock.wall()));
  denial = must(co_await world.desk.ask());
  REQUIRE(denial);
  CHECK(denial->code == "revoked");
}

ASYNC_TEST_CASE("a tunnel is watched live: figures when they change, connections that open and end",
                "[api][tunnels][live]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto made = json_of(co_await world.call(order(tenant)));
  const TunnelId id(text_of(made, "id"));
  auto reply = co_await world.play({"GET", place_of(made) + "/live", tenant.token(Role::viewer)});
  REQUIRE(std::holds_alternative<http::StreamResponse>(reply));
  auto events = std::move(std::get<http::StreamResponse>(reply).events);
  const auto next = [&]() -> asio::awaitable<http::ServerEvent> {
    auto event = co_await events->next(world.clock.steady() + std::chrono::hours(1));
    if (!event) FAIL("the stream has ended");
    co_return *std::move(event);
  };
  auto event = co_await next();
  CHECK(event.name == "figures");
  CHECK(event.data == R"({"entrance":{"problem":null,"state":"none"},"from_target":0,"open_connections":0,)"
                      R"("status":"active","to_target":0})");
  auto one = connection(world, id), other = connection(world, id);
  world.desk.open[id] = {one, other};
  world.desk.standings[id] = {.open_connections = 2, .to_target = 7};
  event = co_await next();
  CHECK(event.name == "figures");
  CHECK_THAT(event.data, Catch::Contains(R"("open_connections":2)") && Catch::Contains(R"("to_target":7)"));
  for (int i = 0; i < 2; ++i) {
    event = co_await next();
    CHECK(event.name == "opened");
    CHECK(misfit("TunnelConnection", must(parse_json(event.data))).empty());
  }
  one.closed_at = world.clock.wall();
  one.end = "finished";
  must(co_await world.stores.tunnels.note_connections(tenant.org, {one}));
  world.desk.open[id] = {};
  event = co_await next();
  CHECK(event.name == "ended");
  CHECK_THAT(event.data, Catch::Contains(one.id.value) && Catch::Contains("finished"));
  event = co_await next();  // its record did not come
  CHECK(event.name == "ended");
  CHECK_THAT(event.data, Catch::Contains(other.id.value));
  must(co_await world.stores.tunnels.remove(tenant.org, id, world.clock.wall()));
  event = co_await next();
  CHECK(event.name == "removed");
  const auto over = co_await events->next(world.clock.steady() + std::chrono::hours(1));
  CHECK_FALSE(over);
}
