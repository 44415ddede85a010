#include "relay/jobs/sealing.h"
#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"

#include <fmt/format.h>

#include <set>

// What each resource does beyond what the registry's tests cover.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

std::string as_body(std::string_view yaml) { return to_json(Value(ValueMap{{Value("yaml"), Value(yaml)}})); }

}  // namespace

ASYNC_TEST_CASE("a new organisation comes with an owner who can begin", "[api][organisations]") {
  World world(co_await asio::this_coro::executor);
  const auto admin = co_await world.platform_token();
  const auto body = R"({"name":"acme","owner_name":"Ann","owner_email":"ann@acme.test"})";
  const auto made = co_await world.call({"POST", "/v1/organisations", admin, body});
  REQUIRE(made.status == 201);
  const auto secret = text_of(json_of(made), "secret");
  const auto who = json_of(co_await world.call({.target = "/v1/whoami", .token = secret}));
  CHECK(text_of(*who.find("organisation"), "name") == "acme");
  CHECK(text_of(who, "role") == "owner");
  CHECK_FALSE(who.find("platform_admin")->as_bool());
  const auto again = co_await world.call({"POST", "/v1/organisations", admin, body});
  CHECK(again.status == 409);
  const auto renamed = co_await world.call({"PATCH", "/v1/organisation", secret, R"({"name":"acme ltd"})"});
  CHECK(text_of(json_of(renamed), "name") == "acme ltd");
}

ASYNC_TEST_CASE("an organisation keeps an owner", "[api][users]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto self = "/v1/users/" + tenant.users.at(Role::owner).value;
  const auto demoted = co_await world.call({"PATCH", self, owner, R"({"role":"viewer"})"});
  CHECK(demoted.status == 409);
  const auto removed = co_await world.call({"DELETE", self, owner});
  CHECK(removed.status == 409);
  const auto editor = "/v1/users/" + tenant.users.at(Role::editor).value;
  const auto promoted = co_await world.call({"PATCH", editor, owner, R"({"role":"owner"})"});
  CHECK(promoted.status == 200);
  const auto now = co_await world.call({"DELETE", self, owner});
  CHECK(now.status == 204);
  const auto locked_out = co_await world.call({.target = "/v1/whoami", .token = owner});
  CHECK(locked_out.status == 401);
}

ASYNC_TEST_CASE("a change of role counts at once, and downwards too", "[api][users]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto before = co_await world.call({"POST", "/v1/groups", editor, R"({"name":"g1"})"});
  CHECK(before.status == 201);
  co_await world.call(
      {"PATCH", "/v1/users/" + tenant.users.at(Role::editor).value, tenant.token(Role::owner), R"({"role":"viewer"})"});
  const auto after = co_await world.call({"POST", "/v1/groups", editor, R"({"name":"g2"})"});
  CHECK(after.status == 403);
}

ASYNC_TEST_CASE("who leaves, or may enrol no more, takes their enrolment tokens along", "[api][users][enrolment]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto place = "/v1/users/" + tenant.users.at(Role::editor).value;
  const auto token_of_editor = [&]() -> asio::awaitable<std::string> {
    const auto made =
        co_await world.call({"POST", "/v1/enrolment-tokens", tenant.token(Role::editor), R"({"group_name":"dc1"})"});
    co_return text_of(json_of(made), "id");
  };
  const Ask changes[] = {{"PATCH", place, owner, R"({"role":"viewer"})"}, {"DELETE", place, owner}};
  const std::string actions[] = {"user.change_role", "user.remove"};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto first = co_await token_of_editor(), second = co_await token_of_editor();
    world.news();
    const auto done = co_await world.call(changes[i]);
    INFO(done.body);
    CHECK(done.status < 300);
    for (const auto& id : {first, second}) {
      const auto token = co_await world.call({"GET", "/v1/enrolment-tokens/" + id, owner});
      CHECK(text_of(json_of(token), "state") == "revoked");
    }
    const auto news = world.news();
    REQUIRE(news.size() == 3);
    CHECK(text_of(news[0].event, "action") == actions[i]);
    std::set<std::string> targets;
    for (const auto& row : {news[1], news[2]}) {
      CHECK(text_of(row.event, "action") == "enrolment_token.revoke");
      CHECK(text_of(*row.event.find("detail"), "because") == actions[i]);
      targets.insert(text_of(row.event, "target"));
    }
    CHECK(targets == std::set<std::string>{"enrolment_token:" + first, "enrolment_token:" + second});
    if (i == 0) co_await world.call({"PATCH", place, owner, R"({"role":"editor"})"});
  }
  const auto ledger = json_of(co_await world.call({"GET", "/v1/audit-events/verify", owner}));
  CHECK(ledger.find("intact")->as_bool());
}

ASYNC_TEST_CASE("a token never gives more than its maker has", "[api][tokens]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto narrow =
      co_await world.call({"POST", "/v1/tokens", owner, R"({"name":"n","scopes":["tokens:write","agents:read"]})"});
  REQUIRE(narrow.status == 201);
  const auto narrow_secret = text_of(json_of(narrow), "secret");
  const auto inherited = co_await world.call({"POST", "/v1/tokens", narrow_secret, R"({"name":"i"})"});
  CHECK(to_json(*json_of(inherited).find("scopes")) == R"(["tokens:write","agents:read"])");
  const auto wider =
      co_await world.call({"POST", "/v1/tokens", narrow_secret, R"({"name":"w","scopes":["jobs:run"]})"});
  CHECK(wider.status == 403);
  const auto for_viewer =
      fmt::format(R"({{"name":"v","user":"{}","scopes":["users:write"]}})", tenant.users.at(Role::viewer).value);
  const auto beyond_role = co_await world.call({"POST", "/v1/tokens", owner, for_viewer});
  CHECK(beyond_role.status == 403);
  const auto misspelt = co_await world.call({"POST", "/v1/tokens", owner, R"({"name":"m","scopes":["job:run"]})"});
  CHECK(misspelt.status == 422);
  CHECK(misspelt.body.find("jobs:run") != std::string::npos);
}

ASYNC_TEST_CASE("a token's secret is told once and its life is bounded", "[api][tokens]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto made = co_await world.call({"POST", "/v1/tokens", owner, R"({"name":"t","expires_in":"2h"})"});
  const auto token = json_of(made);
  const auto shown = co_await world.call({"GET", "/v1/tokens/" + text_of(token, "id"), owner});
  CHECK(shown.status == 200);
  CHECK(shown.body.find("spt_") == std::string::npos);
  CHECK(json_of(shown).find("secret") == nullptr);
  CHECK(world.sink.text.find(text_of(token, "secret")) == std::string::npos);
  for (const auto* life : {"0s", "30s", "367d"}) {
    const auto refused =
        co_await world.call({"POST", "/v1/tokens", owner, fmt::format(R"({{"name":"t","expires_in":"{}"}})", life)});
    INFO(life);
    CHECK(refused.status == 422);
  }
}

ASYNC_TEST_CASE("an enrolment token is made by group name or id and told once", "[api][enrolment]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto made = co_await world.call(
      {"POST", "/v1/enrolment-tokens", editor, R"({"group_name":"dc1","max_uses":3,"expires_in":"2h"})"});
  REQUIRE(made.status == 201);
  const auto token = json_of(made);
  CHECK(text_of(token, "enrolment_string").starts_with("spe1."));
  CHECK(text_of(token, "state") == "usable");
  CHECK(token.find("max_uses")->as_int() == 3);
  const auto by_id = co_await world.call(
      {"POST", "/v1/enrolment-tokens", editor, fmt::format(R"({{"group":"{}"}})", tenant.group.value)});
  CHECK(by_id.status == 201);
  const auto nowhere = co_await world.call({"POST", "/v1/enrolment-tokens", editor, "{}"});
  CHECK(nowhere.status == 422);
  const auto both = fmt::format(R"({{"group":"{}","group_name":"dc1"}})", tenant.group.value);
  const auto targets = co_await world.make_targets(tenant);
  for (const auto& place : {std::string("/v1/enrolment-tokens"), "/v1/agents/" + targets.agent.value + "/move"}) {
    const auto twice = co_await world.call({"POST", place, editor, both});
    INFO(place);
    CHECK(twice.status == 422);
    CHECK(twice.body.find("group or group_name, not both") != std::string::npos);
  }
  const auto place = "/v1/enrolment-tokens/" + text_of(token, "id");
  const auto shown = co_await world.call({"GET", place, editor});
  CHECK(shown.body.find("spe1.") == std::string::npos);
  const auto gone = co_await world.call({"DELETE", place, editor});
  CHECK(gone.status == 204);
  const auto revoked = co_await world.call({"GET", place, editor});
  CHECK(text_of(json_of(revoked), "state") == "revoked");
}

ASYNC_TEST_CASE("agents show their group and their link; revoking moves triggers", "[api][agents]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto editor = tenant.token(Role::editor);
  const auto place = "/v1/agents/" + targets.agent.value;
  const auto offline = json_of(co_await world.call({"GET", place, editor}));
  CHECK(text_of(offline, "group_name") == "dc1");
  CHECK(offline.find("link")->is_null());
  world.presence.linked[targets.agent] = {
      world.clock.wall(), "198.51.100.7", {{.peer = "198.51.100.7", .since = world.clock.wall()}}};
  const auto online = json_of(co_await world.call({"GET", place, editor}));
  CHECK(text_of(*online.find("link"), "peer") == "198.51.100.7");
  const auto revoked = co_await world.call({"POST", place + "/revoke", editor});
  CHECK(text_of(json_of(revoked), "status") == "revoked");
  CHECK(world.triggers_changed == std::vector<OrgId>{tenant.org});
  const auto filtered = co_await world.call({"GET", "/v1/agents?status=active", editor});
  CHECK(items_of(filtered).empty());
}

ASYNC_TEST_CASE("connections show names and health by agent", "[api][connections]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto identity = jobs::connection_identity(tenant.org, targets.agent, "erp-db");
  auto detail = must(co_await jobs::seal_any(world.envelope, identity, "refused"));
  must(co_await world.stores.connections.replace(tenant.org, targets.agent,
                                                 {{.org = tenant.org,
                                                   .agent = targets.agent,
                                                   .name = "erp-db",
                                                   .kind = "sql",
                                                   .health = store::ConnectionHealth::failing,
                                                   .sealed_detail = std::move(detail)}}));
  auto word = must(co_await jobs::seal_any(world.envelope, identity, "timeout"));
  must(co_await world.stores.connections.note_uses(
      tenant.org, targets.agent,
      {{"erp-db", store::ConnectionHealth::failing, std::move(word), from_unix_ms(1'700'000'000'000)}}));
  for (const auto& target : {std::string("/v1/connections"), "/v1/connections?agent=" + targets.agent.value}) {
    const auto listed = json_of(co_await world.call({"GET", target, tenant.token(Role::viewer)}));
    REQUIRE(listed.find("items")->as_list().size() == 1);
    const auto& one = listed.find("items")->as_list()[0];
    CHECK(text_of(one, "name") == "erp-db");
    CHECK(text_of(one, "health") == "failing");
    CHECK(text_of(one, "detail") == "timeout");
    CHECK(text_of(one, "checked_at").starts_with("2023-11-14T22:13:20"));
  }
  must(co_await world.stores.connections.note_uses(
      tenant.org, targets.agent, {{"erp-db", store::ConnectionHealth::healthy, std::nullopt, from_unix_ms(1)}}));
  const auto mended = json_of(co_await world.call({"GET", "/v1/connections", tenant.token(Role::viewer)}));
  CHECK(text_of(mended.find("items")->as_list().at(0), "health") == "healthy");
  const auto theirs = co_await world.settle("b");
  const auto foreign = json_of(co_await world.call({"GET", "/v1/connections", theirs.token(Role::owner)}));
  CHECK(foreign.find("items")->as_list().empty());
}

ASYNC_TEST_CASE("recipes are applied as JSON or YAML; the same content adds nothing", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto first = co_await world.call({"POST", "/v1/recipes", editor, as_body(recipe_yaml("orders"))});
  REQUIRE(first.status == 201);
  CHECK(text_of(json_of(first), "outcome") == "recipe_created");
  const auto same =
      co_await world.call({"POST", "/v1/recipes", editor, recipe_yaml("orders"), {"Content-Type: application/yaml"}});
  CHECK(same.status == 200);
  CHECK(text_of(json_of(same), "outcome") == "unchanged");
  const auto second = co_await world.call({"POST",
                                           "/v1/recipes",
                                           editor,
                                           recipe_yaml("orders", "dc1", "changed"),
                                           {"Content-Type: text/yaml; charset=utf-8"}});
  CHECK(second.status == 201);
  CHECK(json_of(second).find("version")->as_int() == 2);
  const auto named = json_of(co_await world.call({"GET", "/v1/recipes?name=orders", editor}));
  CHECK(named.find("items")->as_list().size() == 1);
  const auto unknown = json_of(co_await world.call({"GET", "/v1/recipes?name=nothing", editor}));
  CHECK(unknown.find("items")->as_list().empty());
}

ASYNC_TEST_CASE("a recipe that is wrong names line, column and rule", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  for (const auto* target : {"/v1/recipes", "/v1/recipes/validate"}) {
    const auto response = co_await world.call({"POST",
                                               target,
                                               tenant.token(Role::editor),
                                               "recipe: x\nrun_om: dc1\ntrigger: {uses: manual@1}\nsteps: []\n",
                                               {"Content-Type: application/yaml"}});
    CHECK(response.status == 422);
    const auto problem = json_of(response);
    CHECK(text_of(problem, "code") == "invalid_recipe");
    REQUIRE(problem.find("errors") != nullptr);
    const auto& first = problem.find("errors")->as_list().at(0);
    INFO(response.body);
    CHECK(response.body.find("2:1") != std::string::npos);
    CHECK_FALSE(text_of(first, "rule").empty());
  }
}

ASYNC_TEST_CASE("who removes a recipe names the agent that watched it", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  must(co_await world.stores.assignments.assign(tenant.org, std::nullopt,
                                                {tenant.org, targets.idle_recipe, 1, targets.agent}));
  const auto gone =
      co_await world.call({"DELETE", "/v1/recipes/" + targets.idle_recipe.value, tenant.token(Role::editor)});
  CHECK(gone.status == 204);
  CHECK(world.triggers_taken_from == targets.agent);
}

ASYNC_TEST_CASE("versions can be read, compared, activated, rolled back and deactivated", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto editor = tenant.token(Role::editor);
  const auto place = "/v1/recipes/" + targets.recipe.value;
  const auto versions = json_of(co_await world.call({"GET", place + "/versions", editor}));
  CHECK(versions.find("items")->as_list().size() == 2);
  const auto one = json_of(co_await world.call({"GET", place + "/versions/1", editor}));
  CHECK(text_of(one, "yaml").starts_with("recipe: "));
  const auto yaml = co_await world.call({"GET", place + "/versions/1?format=yaml", editor});
  CHECK(yaml.body == text_of(one, "yaml"));
  const auto canonical = co_await world.call({"GET", place + "/versions/1?format=canonical", editor});
  CHECK(canonical.body == text_of(one, "canonical"));
  const auto diff = json_of(co_await world.call({"GET", place + "/diff?from=1&to=2", editor}));
  REQUIRE(diff.find("changes")->as_list().size() == 1);
  CHECK(text_of(diff.find("changes")->as_list()[0], "path") == "steps[done].stop.message");

  const auto second = co_await world.call({"POST", place + "/activate", editor, R"({"version":2})"});
  CHECK(json_of(second).find("active_version")->as_int() == 2);
  const auto back = co_await world.call({"POST", place + "/activate", editor, R"({"version":1})"});
  CHECK(json_of(back).find("active_version")->as_int() == 1);
  const auto off = co_await world.call({"POST", place + "/deactivate", editor});
  CHECK(json_of(off).find("active_version")->is_null());
  CHECK(world.triggers_changed.size() == 3);
  const auto nothing = co_await world.call({"POST", place + "/activate", editor, R"({"version":9})"});
  CHECK(nothing.status == 404);
}

ASYNC_TEST_CASE("If-Match holds a decision to what it was made on", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto editor = tenant.token(Role::editor);
  const auto place = "/v1/recipes/" + targets.recipe.value;
  const auto tag = header_of(co_await world.call({"GET", place, editor}), "ETag");
  CHECK(tag == "\"2-1\"");
  const Ask ask{"POST", place + "/activate", editor, R"({"version":2})", {"If-Match: " + tag}};
  const auto first = co_await world.call(ask);
  CHECK(first.status == 200);
  CHECK(header_of(first, "ETag") == "\"2-2\"");
  const auto stale = co_await world.call(ask);
  CHECK(stale.status == 412);
  const auto any = co_await world.call({"POST", place + "/deactivate", editor, "{}", {"If-Match: *"}});
  CHECK(any.status == 200);
}

ASYNC_TEST_CASE("a recipe for a group that does not exist is not activated", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto applied = json_of(
      co_await world.call({"POST", "/v1/recipes", tenant.token(Role::editor), as_body(recipe_yaml("lost", "mars"))}));
  const auto id = text_of(*applied.find("recipe"), "id");
  const auto refused =
      co_await world.call({"POST", "/v1/recipes/" + id + "/activate", tenant.token(Role::editor), R"({"version":1})"});
  CHECK(refused.status == 409);
  CHECK(refused.body.find("mars") != std::string::npos);
}

ASYNC_TEST_CASE("a group that was used is removed once it is empty, and its name begins anew", "[api][groups]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto group = json_of(co_await world.call({"POST", "/v1/groups", editor, R"({"name":"g9"})"}));
  const auto place = "/v1/groups/" + text_of(group, "id");
  CHECK(group.find("removed_at")->is_null());
  const auto token = json_of(co_await world.call({"POST", "/v1/enrolment-tokens", editor, R"({"group_name":"g9"})"}));
  const auto used = co_await world.call({"DELETE", place, editor});
  CHECK(used.status == 409);
  CHECK(used.body.find(text_of(token, "id")) != std::string::npos);
  co_await world.call({"DELETE", "/v1/enrolment-tokens/" + text_of(token, "id"), editor});
  const auto gone = co_await world.call({"DELETE", place, editor});
  CHECK(gone.status == 204);
  const auto again = co_await world.call({"DELETE", place, editor});
  CHECK(again.status == 404);
  const auto kept = json_of(co_await world.call({"GET", place, editor}));
  CHECK(text_of(kept, "name") == "g9");
  CHECK_FALSE(text_of(kept, "removed_at").empty());
  const auto listed = co_await world.call({"GET", "/v1/groups?name=g9", editor});
  CHECK(items_of(listed).empty());
  const auto into = co_await world.call(
      {"POST", "/v1/enrolment-tokens", editor, fmt::format(R"({{"group":"{}"}})", text_of(group, "id"))});
  CHECK(into.status == 404);
  const auto fresh = co_await world.call({"POST", "/v1/groups", editor, R"({"name":"g9"})"});
  CHECK(fresh.status == 201);
}

ASYNC_TEST_CASE("the ledger can be read and verified", "[api][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  co_await world.call({"POST", "/v1/groups", owner, R"({"name":"g1"})"});
  co_await world.call({"PATCH", "/v1/organisation", owner, R"({"name":"b"})"});
  const auto all = json_of(co_await world.call({"GET", "/v1/audit-events", owner}));
  REQUIRE(all.find("items")->as_list().size() == 2);
  CHECK(text_of(*all.find("items")->as_list()[0].find("event"), "action") == "organisation.rename");
  const auto some = json_of(co_await world.call({"GET", "/v1/audit-events?action=group.create", owner}));
  REQUIRE(some.find("items")->as_list().size() == 1);
  const auto& event = *some.find("items")->as_list()[0].find("event");
  CHECK(text_of(*event.find("detail"), "from") == "192.0.2.1");
  const auto verdict = json_of(co_await world.call({"GET", "/v1/audit-events/verify", owner}));
  CHECK(verdict.find("intact")->as_bool());
  CHECK(verdict.find("rows")->as_int() == 2);
}

ASYNC_TEST_CASE("a moved agent is told to link again, and its triggers are thought over", "[api][agents]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto editor = tenant.token(Role::editor);
  const auto place = "/v1/agents/" + targets.agent.value;
  const auto to = fmt::format(R"({{"group":"{}"}})", targets.group.value);
  const auto tag = header_of(co_await world.call({"GET", place, editor}), "ETag");
  world.triggers_changed.clear();

  const auto wrong = co_await world.call({"PATCH", place, editor, R"({"name":"other"})", {"If-Match: \"9-9\""}});
  CHECK(wrong.status == 412);
  const auto named = co_await world.call({"PATCH", place, editor, R"({"name":"other"})", {"If-Match: " + tag}});
  REQUIRE(named.status == 200);
  const auto renamed_meanwhile = co_await world.call({"POST", place + "/move", editor, to, {"If-Match: " + tag}});
  CHECK(renamed_meanwhile.status == 412);
  const auto new_tag = header_of(named, "ETag");
  const auto moved = co_await world.call({"POST", place + "/move", editor, to, {"If-Match: " + new_tag}});
  REQUIRE(moved.status == 200);
  CHECK(text_of(json_of(moved), "group") == targets.group.value);
  CHECK(header_of(moved, "ETag") != tag);
  CHECK(world.presence.relinked == std::vector<AgentId>{targets.agent});
  CHECK(world.triggers_changed == std::vector<OrgId>{tenant.org});
  const auto stale =
      co_await world.call({"POST", place + "/move", editor, R"({"group_name":"dc1"})", {"If-Match: " + tag}});
  CHECK(stale.status == 412);
  const auto same = co_await world.call({"POST", place + "/move", editor, to});
  CHECK(same.status == 200);
  CHECK(world.presence.relinked.size() == 1);  // nothing moved: its link stays
  const auto back = co_await world.call({"POST", place + "/move", editor, R"({"group_name":"dc1"})"});
  CHECK(text_of(json_of(back), "group_name") == "dc1");
  const auto nowhere = co_await world.call({"POST", place + "/move", editor, R"({"group_name":"dc9"})"});
  CHECK(nowhere.status == 404);
  const auto unsaid = co_await world.call({"POST", place + "/move", editor, "{}"});
  CHECK(unsaid.status == 422);
  must(co_await world.revocations.revoke_agent(tenant.org, targets.agent));
  const auto revoked = co_await world.call({"POST", place + "/move", editor, to});
  CHECK(revoked.status == 409);
}

ASYNC_TEST_CASE("a recipe is deleted once nothing uses it, and its name begins anew", "[api][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto editor = tenant.token(Role::editor);
  const auto place = "/v1/recipes/" + targets.recipe.value;
  const auto name = text_of(json_of(co_await world.call({"GET", place, editor})), "name");
  const auto active = co_await world.call({"DELETE", place, editor});
  CHECK(active.status == 409);
  CHECK(active.body.find("deactivate it first") != std::string::npos);
  co_await world.call({"POST", place + "/deactivate", editor, "{}"});
  const auto waiting = co_await world.call({"DELETE", place, editor});
  CHECK(waiting.status == 409);
  CHECK(waiting.body.find(targets.job.value) != std::string::npos);
  co_await world.call({"POST", "/v1/jobs/" + targets.job.value + "/cancel", editor, "{}"});
  const auto stale =
      co_await world.call({.method = "DELETE", .target = place, .token = editor, .headers = {"If-Match: \"0-0\""}});
  CHECK(stale.status == 412);
  const auto gone = co_await world.call({"DELETE", place, editor});
  CHECK(gone.status == 204);

  const auto kept = json_of(co_await world.call({"GET", place, editor}));
  CHECK(text_of(kept, "name") == name);
  CHECK_FALSE(text_of(kept, "removed_at").empty());
  const auto text = co_await world.call({"GET", place + "/versions/1?format=yaml", editor});
  CHECK(text.body.find(name) != std::string::npos);
  const auto job = co_await world.call({"GET", "/v1/jobs/" + targets.ended_job.value, editor});
  CHECK(text_of(json_of(job), "recipe") == targets.recipe.value);
  CHECK(text_of(json_of(job), "recipe_name") == name);
  const auto jobs = items_of(co_await world.call({"GET", "/v1/jobs?recipe=" + targets.recipe.value, editor}));
  REQUIRE(jobs.size() == 2);
  for (const auto& one : jobs) CHECK(text_of(one, "recipe_name") == name);
  const auto named = co_await world.call({"GET", "/v1/recipes?name=" + name, editor});
  CHECK(items_of(named).empty());
  const auto of_old = items_of(co_await world.call({"GET", "/v1/recipes?removed=with&name=" + name, editor}));
  REQUIRE(of_old.size() == 1);
  CHECK(text_of(of_old[0], "id") == targets.recipe.value);
  CHECK_FALSE(text_of(of_old[0], "removed_at").empty());
  const auto rerun = co_await world.call({"POST", "/v1/jobs/" + targets.ended_job.value + "/rerun", editor, "{}"});
  CHECK(rerun.status == 409);
  CHECK(rerun.body.find("deleted") != std::string::npos);
  const auto started = co_await world.call(
      {"POST", "/v1/jobs", editor, fmt::format(R"({{"recipe":"{}","version":1}})", targets.recipe.value)});
  CHECK(started.status == 409);
  const auto again = co_await world.call({"DELETE", place, editor});
  CHECK(again.status == 404);

  const auto fresh = co_await world.call({"POST", "/v1/recipes", editor, as_body(recipe_yaml(name))});
  REQUIRE(fresh.status == 201);
  CHECK(json_of(fresh).find("version")->as_int() == 1);
  CHECK(text_of(*json_of(fresh).find("recipe"), "id") != targets.recipe.value);
}
