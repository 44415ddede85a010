#include "relay/cli/job_watch.h"
#include "tests/unit/relay/cli/cli_site.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include "shared/base/json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// Which thing is meant, which one is absent, and which part of a long list is wanted.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("of two things that a command names, the absent one is told", "[cli][names]") {
  CliSite site;
  site.login(Role::owner);
  site.settle_recipe("orders");
  const auto recipe = text_of(site.json({"recipes", "show", "orders"}), "id");
  const std::string no_group = "grp_01J0000000000000000000000A", no_agent = "agt_01J0000000000000000000000A",
                    no_recipe = "rcp_01J0000000000000000000000A", no_user = "usr_01J0000000000000000000000A";
  struct Row {
    std::vector<std::string> words;
    std::string says;
  };
  for (const auto& row : std::vector<Row>{
           {{"agent", "move", "erp-host", "--group", "nope"}, "there is no group \"nope\"; see: sallyport group list"},
           {{"agent", "move", "erp-host", "--group", no_group}, "there is no group \"" + no_group},
           {{"agent", "move", site.agent.value, "--group", no_group}, "there is no group \"" + no_group},
           {{"agent", "move", "nope", "--group", "dc1"}, "there is no agent \"nope\"; see: sallyport agent list"},
           {{"agent", "move", no_agent, "--group", "dc1"}, "there is no agent \"" + no_agent},
           {{"agent", "move", no_agent, "--group", no_group}, "there is no agent \"" + no_agent},
           {{"token", "create", "ci", "--user", no_user}, "there is no user \"" + no_user},
           {{"recipes", "show", no_recipe, "--version", "1"}, "there is no recipe \"" + no_recipe},
           {{"recipes", "show", recipe, "--version", "7"}, "recipe " + recipe + " has no version 7"},
           {{"recipes", "diff", no_recipe, "--from", "1", "--to", "2"}, "there is no recipe \"" + no_recipe},
           {{"recipes", "diff", "orders", "--from", "1", "--to", "2"}, "recipe orders has no version 1 or 2"},
           {{"recipes", "activate", no_recipe, "--version", "1"}, "there is no recipe \"" + no_recipe},
           {{"recipes", "delete", no_recipe}, "there is no recipe \"" + no_recipe},
           {{"jobs", "list", "--recipe", "nope"}, "there is no recipe \"nope\""}}) {
    const auto ran = site.run(row.words);
    INFO(fmt::format("{}: {}", fmt::join(row.words, " "), ran.err));
    CHECK(ran.code == kNotFound);
    CHECK_THAT(ran.err, Catch::Contains(row.says));
  }
  CHECK(site.run({"agent", "show", "erp-host"}).code == kDone);
}

TEST_CASE("the jobs of a deleted recipe keep its name and are found by it", "[cli][names]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
  const auto job = site.start("orders");
  site.finish(job, domain::JobState::succeeded);
  const auto recipe = text_of(site.json({"jobs", "show", job.value}), "recipe");
  REQUIRE(site.run({"recipes", "deactivate", "orders"}).code == kDone);
  REQUIRE(site.run({"recipes", "delete", "orders"}).code == kDone);
  for (const auto& words : {std::vector<std::string>{"jobs", "list"}, {"jobs", "list", "--recipe", "orders"}}) {
    const auto listed = site.run(words);
    CHECK_THAT(listed.out, Catch::Contains(job.value) && Catch::Contains(" orders ") && !Catch::Contains("rcp_"));
  }
  CHECK_THAT(site.run({"jobs", "list", "--recipe", "order"}).err, Catch::Contains("there is no recipe"));
  CHECK_THAT(site.run({"jobs", "show", job.value}).out, Catch::Contains("RECIPE       orders\n"));
  const auto listed = site.json({"jobs", "list", "--recipe", recipe});
  REQUIRE(listed.find("items")->as_list().size() == 1);
  CHECK(text_of(listed.find("items")->as_list()[0], "recipe_name") == "orders");
}

TEST_CASE("names that nobody tells are asked for a bounded number of times", "[cli][names]") {
  std::string items;
  for (int i = 0; i < 80; ++i)
    items += fmt::format(R"({}{{"id":"job_{}","agent":"agt_{:03}"}})", i == 0 ? "" : ",", i, i);
  ScriptedRelay relay([&](const ScriptedRelay::Asked& asked, std::size_t) {
    if (asked.path == "/v1/jobs") return text_reply(200, R"({"next":null,"items":[)" + items + "]}");
    if (asked.path == "/v1/agents") return text_reply(200, R"({"items":[{"id":"agt_000","name":"first"}]})");
    if (asked.path == "/v1/agents/agt_001") return text_reply(200, R"({"id":"agt_001","name":"second"})");
    return text_reply(404, R"({"title":"Not found"})");
  });
  const auto ran = run_cli({"jobs", "list"}, relay.surroundings());
  CHECK(ran.code == kDone);
  CHECK_THAT(ran.out, Catch::Contains(" first ") && Catch::Contains(" second ") && Catch::Contains(" agt_002 ") &&
                          Catch::Contains(" agt_079 ") && !Catch::Contains(" agt_001 "));
  CHECK(relay.asked("/v1/agents/agt_000").empty());
  CHECK(relay.asked("/v1/agents/agt_050").size() == 1);
  CHECK(relay.asked("/v1/agents/agt_051").empty());
}

TEST_CASE("audit events are listed in parts, by action and by time", "[cli][names][audit]") {
  CliSite site;
  site.login(Role::owner);
  for (int i = 0; i < 4; ++i) REQUIRE(site.run({"group", "create", fmt::format("g{}", i)}).code == kDone);
  REQUIRE(site.run({"user", "add", "ada@x.test"}).code == kDone);
  const auto seq = [](const Value& list, std::size_t i) { return list.find("items")->as_list().at(i).find("seq"); };
  const auto count = [](const Value& list) { return list.find("items")->as_list().size(); };
  const std::vector<std::string> groups{"audit", "list", "--action", "group.create", "--limit", "2"};
  const auto part = site.json(groups);
  CHECK(count(part) == 2);
  const auto next = text_of(part, "next");
  REQUIRE_FALSE(next.empty());
  const auto shown = site.run(groups);
  CHECK_THAT(shown.out, Catch::StartsWith("SEQ") && Catch::Contains("group.create") && !Catch::Contains("user."));
  CHECK_THAT(shown.err, Catch::Contains("there are more") && Catch::Contains("--cursor " + next));
  const auto rest = site.json({"audit", "list", "--action", "group.create", "--cursor", next});
  REQUIRE(count(rest) >= 2);
  CHECK(seq(rest, 0)->as_int() < seq(part, 1)->as_int());
  CHECK(count(site.json({"audit", "list", "--since", "2100-01-01T00:00:00Z"})) == 0);
  CHECK(count(site.json({"audit", "list", "--since", "2000-01-01T00:00:00Z"})) >= 5);
}

TEST_CASE("the platform's ledger is for its admins alone", "[cli][audit]") {
  CliSite site;
  site.login(Role::owner);
  for (const std::string verb : {"list", "verify"}) {
    const auto ran = site.run({"audit", "platform", verb});
    CHECK(ran.code == kNotAllowed);
    CHECK(ran.out.empty());
  }
  auto machine = site.machine();
  machine.environment["SALLYPORT_TOKEN"] = site.on_loop(site.world.platform_token());
  REQUIRE(run_cli({"organisation", "create", "other", "--owner", "o@x.test"}, machine).code == kDone);
  const auto listed = run_cli({"audit", "platform", "list", "--action", "organisation.create"}, machine);
  CHECK(listed.code == kDone);
  CHECK_THAT(listed.out, Catch::StartsWith("SEQ") && Catch::Contains("organisation.create"));
  CHECK_FALSE(site.run({"audit", "list"}).out.contains("organisation.create"));  // not in that of an organisation
  const auto verified = run_cli({"audit", "platform", "verify"}, machine);
  CHECK(verified.code == kDone);
  CHECK_THAT(verified.out, Catch::StartsWith("intact: "));
}

TEST_CASE("audit list asks for no more than it shows", "[cli][names][audit]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t) {
    std::string items;
    for (int i = 0; i < 50; ++i) items += fmt::format(R"({}{{"seq":{}}})", i == 0 ? "" : ",", 1000 - i);
    return text_reply(200, R"({"next":"c","items":[)" + items + "]}");
  });
  const auto ran = run_cli({"audit", "list"}, relay.surroundings());
  CHECK(ran.code == kDone);
  CHECK(relay.asked("/v1/audit-events").size() == 1);
}

TEST_CASE("audit list tells why something was refused, cut or failed", "[cli][names][audit]") {
  ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t) {
    return text_reply(200, R"({"next":null,"items":[
      {"seq":4,"event":{"action":"tunnel.cut","outcome":"done","detail":{"reason":"revoked","user":"usr_1"}}},
      {"seq":3,"event":{"action":"group.create","outcome":"failed","detail":{"error":"conflict"}}},
      {"seq":2,"event":{"action":"link.open","outcome":"refused","detail":{"reason":"tls.expired","error":"x"}}},
      {"seq":1,"event":{"action":"group.create","outcome":"done"}}]})");
  });
  const auto ran = run_cli({"audit", "list"}, relay.surroundings());
  CHECK(ran.code == kDone);
  CHECK_THAT(ran.out, Catch::Matches("SEQ [^\n]* REASON\n"
                                     "4 [^\n]* revoked\n3 [^\n]* conflict\n2 [^\n]* tls.expired\n1 [^\n]* -\n"));
}

TEST_CASE("a history tells the day, too", "[cli][names]") {
  const auto event = parse_json(R"({"at":"2026-01-31T09:30:00.123Z","kind":"step.started","path":"rows"})");
  REQUIRE(event);
  CHECK(history_line(*event) == "2026-01-31T09:30:00.123Z  step.started   rows\n");
}
