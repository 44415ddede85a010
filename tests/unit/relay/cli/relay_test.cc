#include "tests/unit/relay/cli/cli_site.h"

#include "relay/cli/usage.h"
#include "relay/jobs/sealing.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <filesystem>

// The CLI against the real API: HTTPS, tokens, store.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("a login is kept in a private file, used, and forgotten", "[cli][relay]") {
  CliSite site;
  const auto before = site.run({"whoami"});
  CHECK(before.code == kNotAllowed);
  const auto in = site.login(Role::editor);
  CHECK(in.code == kDone);
  const auto file = site.folder.path("config/sallyport/login.json");
  CHECK(in.out == fmt::format("Logged in; saved in {}\n", file));
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::mask) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  const auto who = site.json({"whoami", "--relay", site.url()});
  CHECK(who.find("user") != nullptr);
  std::filesystem::permissions(file, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
  const auto open = site.run({"whoami"});
  CHECK(open.code == kNotAllowed);
  CHECK_THAT(open.err, Catch::Contains("chmod 600 " + file));
  CHECK(site.run({"logout"}).code == kDone);
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a login that the relay refuses is not kept", "[cli][relay]") {
  CliSite site;
  const auto refused = site.run({"login", "--relay", site.url(), "--root", site.server.root()}, "spt_wrong\n");
  CHECK(refused.code == kNotAllowed);
  CHECK(site.run({"login", "--relay", site.url(), "--root", site.server.root()}).code == kFailed);  // no token
  CHECK_FALSE(site.folder.has("config/sallyport/login.json"));
  CHECK(site.run({"login", "--relay", site.url(), "--root", "/nowhere.pem"}, "spt_x\n").code == kFailed);
}

TEST_CASE("connections are listed with what their last use told", "[cli][relay][health]") {
  CliSite site;
  site.login(Role::viewer);
  auto& connections = site.world.stores.connections;
  const auto org = site.tenant.org;
  const auto identity = jobs::connection_identity(org, site.agent, "erp-db");
  auto why = must(site.on_loop(jobs::seal_any(site.world.envelope, identity, "permission")));
  std::vector<store::Connection> named(2);
  named[0].name = "erp-db";
  named[0].kind = "sql";
  named[1].name = "share";
  named[1].kind = "file";
  must(site.on_loop(connections.replace(org, site.agent, named)));
  must(site.on_loop(connections.note_uses(
      org, site.agent,
      {{"erp-db", store::ConnectionHealth::failing, std::move(why), from_unix_ms(1'700'000'000'000)}})));
  const auto ran = site.run({"connection", "list"});
  INFO(ran.out << ran.err);
  REQUIRE(ran.code == kDone);
  CHECK_THAT(only_line(ran.out), Catch::Contains("HEALTH") && Catch::Contains("CLASS") && Catch::Contains("CHECKED"));
  CHECK_THAT(ran.out, Catch::Matches("[^]*erp-db +sql +failing +permission +2023-11-14[^]*"));
  CHECK_THAT(ran.out, Catch::Matches("[^]*share +file +unknown[^]*"));
}

TEST_CASE("an agent is shown with each of its links", "[cli][relay]") {
  CliSite site;
  site.login(Role::viewer);
  const auto alone = site.run({"agent", "show", "erp-host"});
  CHECK(alone.code == kDone);
  CHECK_THAT(alone.out, !Catch::Contains("LINK FROM"));
  const auto since = site.world.clock.wall();
  site.on_loop([](World& world, AgentId agent, WallTime at) -> asio::awaitable<void> {
    world.presence.linked[agent] = {
        .since = at,
        .peer = "192.0.2.7",
        .each = {{.peer = "192.0.2.7", .since = at, .round_trip = std::chrono::milliseconds(12), .jobs = true},
                 {.peer = "192.0.2.8", .since = at, .tunnels = 3, .draining = true}}};
    co_return;
  }(site.world, site.agent, since));
  const auto shown = site.run({"agent", "show", "erp-host"});
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::Contains("LINK FROM") && Catch::Contains("192.0.2.7") && Catch::Contains("192.0.2.8") &&
                            Catch::Contains(rfc3339(since)));
  const auto last = shown.out.substr(shown.out.rfind("192.0.2.8"));
  CHECK_THAT(last, Catch::Contains("false") && Catch::Contains("3") && Catch::Contains("true"));
}

TEST_CASE("exit codes tell scripts what happened", "[cli][relay]") {
  CliSite site;
  site.login(Role::viewer);
  CHECK(site.run({"group", "create", "dc2"}).code == kNotAllowed);
  CHECK(site.run({"jobs", "show", "job_01J0000000000000000000000A"}).code == kNotFound);
  auto away = site.machine();
  away.environment.insert({{"SALLYPORT_RELAY", "https://127.0.0.1:1"}, {"SALLYPORT_TOKEN", "spt_x"}});
  CHECK(run_cli({"jobs", "list"}, away).code == kUnreachable);
  site.login(Role::editor);
  CHECK(site.run({"group", "create", "Not A Slug"}).code == kFailed);
  CHECK(site.run({"group", "create", "dc1"}).code == kFailed);  // there is one
  CHECK(site.run({"group", "create", "dc2"}).out == "group dc2 made\n");
}

TEST_CASE("what is not there is named, with the command that lists what is", "[cli][relay]") {
  CliSite site;
  site.login(Role::owner);
  struct Row {
    std::vector<std::string> words;
    std::string_view says;
  };
  const std::string no_job = "job_01J0000000000000000000000A";
  for (const auto& row : std::vector<Row>{
           {{"jobs", "start", "nope"}, "there is no recipe \"nope\"; see: sallyport recipes list"},
           {{"jobs", "show", "nope"}, "there is no job \"nope\"; see: sallyport jobs list"},
           {{"jobs", "show", no_job}, "there is no job \"" + no_job + "\"; see: sallyport jobs list"},
           {{"jobs", "watch", no_job}, "there is no job"},
           {{"jobs", "log", no_job}, "there is no job"},
           {{"jobs", "cancel", no_job}, "there is no job"},
           {{"jobs", "rerun", no_job}, "there is no job"},
           {{"jobs", "rerun", "--failed", "nope"}, "there is no recipe \"nope\""},
           {{"jobs", "list", "--agent", "nope"}, "there is no agent \"nope\"; see: sallyport agent list"},
           {{"recipes", "show", "nope"}, "there is no recipe \"nope\""},
           {{"recipes", "activate", "nope"}, "there is no recipe \"nope\""},
           {{"recipes", "show", "rcp_01J0000000000000000000000A"}, "there is no recipe \"rcp_01J"},
           {{"agent", "show", "nope"}, "there is no agent \"nope\""},
           {{"agent", "revoke", "agt_01J0000000000000000000000A"}, "there is no agent \"agt_01J"},
           {{"agent", "token", "create", "--group", "nope"}, "there is no group \"nope\""},
           {{"agent", "token", "revoke", "enr_01J0000000000000000000000A"}, "see: sallyport agent token list"},
           {{"group", "remove", "nope"}, "there is no group \"nope\"; see: sallyport group list"},
           {{"user", "remove", "nobody@x.test"}, "there is no user \"nobody@x.test\"; see: sallyport user list"},
           {{"token", "revoke", "tok_01J0000000000000000000000A"}, "see: sallyport token list"}}) {
    const auto ran = site.run(row.words);
    INFO(fmt::format("{}: {}", fmt::join(row.words, " "), ran.err));
    CHECK(ran.code == kNotFound);
    CHECK(ran.out.empty());
    CHECK_THAT(ran.err, Catch::Contains(std::string(row.says)) && !Catch::Contains("no such thing"));
  }
}

TEST_CASE("recipes are applied, compared and activated", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  const auto file = site.folder.write("orders.yaml", recipe_yaml("orders"));
  CHECK(site.run({"recipes", "apply", "-f", file}).out == "orders: created version 1\n");
  CHECK(site.run({"recipes", "apply", "-f", "-"}, recipe_yaml("orders")).out ==
        "orders: unchanged, the same as version 1\n");
  site.folder.write("orders.yaml", recipe_yaml("orders", "dc1", "other"));
  const auto difference = site.run({"recipes", "diff", "-f", file});
  CHECK_THAT(difference.out, Catch::Contains("\"done\" -> \"other\""));
  CHECK(site.run({"recipes", "apply", "-f", file, "--activate"}).out ==
        "orders: added version 2\norders: version 2 is active\n");
  CHECK(site.run({"recipes", "diff", "-f", file}).out == "no difference\n");
  CHECK_THAT(site.run({"recipes", "diff", "orders", "--from", "1", "--to", "2"}).out,
             Catch::Contains("\"done\" -> \"other\""));
  const auto back = site.json({"recipes", "activate", "orders", "--version", "1"});
  CHECK(back.find("active_version")->as_int() == 1);
  const auto ahead = site.run({"recipes", "activate", "orders", "--version", "7"});
  CHECK(ahead.code == kNotFound);
  CHECK_THAT(ahead.err, Catch::Contains("recipe orders has no version 7; see: sallyport recipes show orders"));
  CHECK(site.run({"recipes", "show", "orders", "--version", "9"}).code == kNotFound);
  CHECK(site.run({"recipes", "diff", "orders", "--from", "1", "--to", "9"}).code == kNotFound);
  CHECK(site.run({"recipes", "show", "orders", "--version", "1"}).out == recipe_yaml("orders"));
  const auto shown = site.run({"recipes", "show", "orders"});
  CHECK_THAT(shown.out, Catch::Contains("editor@acme.test") && !Catch::Contains("usr_"));
  const auto in_use = site.run({"recipes", "delete", "orders"});
  CHECK(in_use.code != 0);
  CHECK_THAT(in_use.err, Catch::Contains("deactivate it first"));
  CHECK(site.json({"recipes", "deactivate", "orders"}).find("active_version")->is_null());
  CHECK(site.run({"recipes", "delete", "orders"}).out == "deleted; its jobs stay readable\n");
  CHECK(site.run({"recipes", "show", "orders"}).code != 0);
}

TEST_CASE("a recipe that cannot be active says so, and that it is stored", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  const auto file = site.folder.write("orders.yaml", recipe_yaml("orders", "dc9"));
  const auto ran = site.run({"recipes", "apply", "-f", file, "--activate"});
  CHECK(ran.code == kFailed);
  CHECK(ran.out == "orders: created version 1\n");
  CHECK_THAT(ran.err, Catch::Contains("version 1 is not active") && Catch::Contains("\"dc9\""));
}

TEST_CASE("a wrong recipe never reaches the relay and names its file", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  const auto file = site.folder.write("bad.yaml", "recipe: orders\nrun_onn: dc1\n");
  for (const auto& words : {std::vector<std::string>{"recipes", "apply", "-f", file}, {"recipes", "validate", file}}) {
    const auto ran = site.run(words);
    CHECK(ran.code == kFailed);
    CHECK_THAT(ran.err, Catch::Contains("bad.yaml:2:1") && Catch::Contains("run_on"));
  }
  const auto told = site.run({"recipes", "validate", file, "-o", "json"});
  CHECK(told.code == kFailed);
  CHECK(told.err.empty());
  const auto verdict = parse_json(told.out);
  REQUIRE(verdict);
  CHECK_FALSE(verdict->find("valid")->as_bool());
  const auto& errors = verdict->find("errors")->as_list();
  REQUIRE(errors.size() >= 2);
  const auto misspelt = std::ranges::find(errors, Value("unknown-key"), [](const Value& e) { return *e.find("rule"); });
  REQUIRE(misspelt != errors.end());
  CHECK((text_of(*misspelt, "file") == file && misspelt->find("line")->as_int() == 2));
  CHECK((misspelt->find("column")->as_int() == 1 && text_of(*misspelt, "message").contains("run_on")));
  CHECK_THAT(site.run({"recipes", "validate", file, "-o", "yaml"}).out, Catch::Contains("valid: false"));
  CHECK(count_of(site.json({"recipes", "list"})) == 0);
}

TEST_CASE("a string for an agent that is there is made by its name", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  const auto agent = first_of(site.json({"agent", "list"}));
  const auto ran = site.run({"agent", "reenrol", text_of(agent, "name"), "--expires-in", "30m"});
  CHECK(ran.code == kDone);
  CHECK_THAT(only_line(ran.out), Catch::StartsWith("spe1."));
  CHECK_THAT(ran.err, Catch::Contains("sallyport-agent enrol -"));
  CHECK_THAT(site.run({"agent", "token", "list"}).out, Catch::Contains(text_of(agent, "id")));
  const auto none = site.run({"agent", "reenrol", "nobody"});
  CHECK(none.code == kNotFound);
  CHECK_THAT(none.err, Catch::Contains("nobody"));
}

TEST_CASE("an enrolment token is told with the safe way to use it", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  const auto ran = site.run({"agent", "token", "create", "--group", "dc1", "--max-uses", "2", "--expires-in", "30m"});
  CHECK(ran.code == kDone);
  const auto secret = only_line(ran.out);
  CHECK_THAT(ran.err, Catch::Contains("sallyport-agent enrol -") && !Catch::Contains("enrol STRING"));
  const auto list = site.run({"agent", "token", "list"});
  CHECK_THAT(list.out, Catch::Contains("dc1") && !Catch::Contains("grp_") && !Catch::Contains(secret));
  const auto id = text_of(first_of(site.json({"agent", "token", "list"})), "id");
  CHECK(site.run({"agent", "token", "revoke", id}).out == fmt::format("enrolment token {} revoked\n", id));
}

TEST_CASE("people are found by their e-mail addresses", "[cli][relay]") {
  CliSite site;
  site.login(Role::owner);
  CHECK(site.run({"user", "add", "ada@x.test", "--role", "editor"}).code == kDone);
  CHECK_THAT(site.run({"user", "role", "ada@x.test", "viewer"}).out, Catch::Contains("viewer"));
  CHECK(site.run({"token", "create", "ci", "--user", "ada@x.test", "--expires-in", "30d"}).code == kDone);
  CHECK_THAT(site.run({"token", "list"}).out, Catch::Contains("ada@x.test"));
  CHECK(site.run({"user", "remove", "ada@x.test"}).out == "user ada@x.test removed\n");
  CHECK(site.run({"user", "remove", "ada@x.test"}).code == kNotFound);
}

TEST_CASE("every list is a table with headers and a JSON document", "[cli][relay]") {
  CliSite site;
  site.login(Role::owner);
  site.settle_recipe("orders");
  site.finish(site.start("orders"), domain::JobState::succeeded);
  for (const auto& command : all_commands()) {
    if (!command.verb.ends_with("list")) continue;
    if (command.noun == "organisation" || command.verb.starts_with("platform ")) continue;  // for platform admins
    INFO(name_of(command));
    std::vector<std::string> words;
    for (const auto word : name_words(command)) words.emplace_back(word);
    const auto value = site.json(words);
    REQUIRE(value.find("items") != nullptr);
    const auto table = site.run(words);
    CHECK(table.code == kDone);
    const auto header = table.out.substr(0, table.out.find('\n'));
    CHECK_FALSE(header.empty());
    CHECK(std::ranges::none_of(header, [](char c) { return c >= 'a' && c <= 'z'; }));
    CHECK(static_cast<std::size_t>(std::ranges::count(table.out, '\n')) == count_of(value) + 1);
    words.insert(words.end(), {"-o", "yaml"});
    CHECK_THAT(site.run(words).out, Catch::StartsWith("items:"));
  }
}

TEST_CASE("what a command did is JSON when asked", "[cli][relay]") {
  CliSite site;
  site.login(Role::owner);
  const auto file = site.folder.write("orders.yaml", recipe_yaml("orders"));
  CHECK(text_of(site.json({"recipes", "apply", "-f", file}), "outcome") == "recipe_created");
  const auto applied = site.json({"recipes", "apply", "-f", file, "--activate"});
  CHECK(applied.find("recipe")->find("active_version")->as_int() == 1);
  CHECK(site.json({"recipes", "validate", file}).find("valid")->as_bool());
  CHECK(site.json({"recipes", "validate", file}).find("errors")->as_list().empty());
  CHECK(site.json({"recipes", "diff", "-f", file}).find("changes")->as_list().empty());
  CHECK(site.json({"recipes", "show", "orders"}).find("versions")->as_list().size() == 1);
  const auto job = text_of(site.json({"jobs", "start", "orders"}), "id");
  CHECK(text_of(site.json({"jobs", "cancel", job}), "state") == "cancelled");
  CHECK(text_of(site.json({"jobs", "rerun", job}), "rerun_of") == job);
  CHECK(text_of(site.json({"agent", "show", "erp-host"}), "id") == site.agent.value);
  CHECK(text_of(site.json({"agent", "rename", "erp-host", "erp-2"}), "name") == "erp-2");
  CHECK(text_of(site.json({"group", "create", "dc2"}), "name") == "dc2");
  CHECK(text_of(site.json({"agent", "move", "erp-2", "--group", "dc2"}), "group_name") == "dc2");
  CHECK(text_of(site.json({"agent", "move", "erp-2", "--group", "dc1"}), "group_name") == "dc1");
  CHECK(text_of(site.json({"agent", "revoke", "erp-2"}), "status") == "revoked");
  site.json({"group", "remove", "dc2"});
  CHECK_FALSE(text_of(site.json({"agent", "token", "create", "--group", "dc1"}), "enrolment_string").empty());
  CHECK(site.json({"audit", "verify"}).find("intact")->as_bool());
  CHECK_THAT(site.run({"audit", "verify"}).out, Catch::Matches("intact: [0-9]+ audit events, from event 1 on\n"));
  CHECK(text_of(site.json({"organisation", "show"}), "name") == "acme");
  site.json({"logout", "-o", "json"});
}

TEST_CASE("the token of the login is never shown", "[cli][relay]") {
  CliSite site;
  const auto token = site.tenant.token(Role::owner);
  std::string all;
  const auto keep = [&](const Ran& ran) { all += ran.out + ran.err; };
  keep(site.login(Role::owner));
  for (const std::string format : {"table", "json", "yaml"}) {
    keep(site.run({"whoami", "-o", format}));
    keep(site.run({"token", "list", "-o", format}));
    keep(site.run({"audit", "list", "-o", format}));
    keep(site.run({"jobs", "list", "--relay", "https://127.0.0.1:1", "-o", format}));
    keep(site.run({"jobs", "show", "nope", "-o", format}));
  }
  CHECK(all.find(token) == std::string::npos);
  CHECK(all.find(token.substr(token.size() / 2)) == std::string::npos);
  CHECK((site.server.log() + site.world.sink.text).find(token) == std::string::npos);
  CHECK_THAT(site.folder.read("config/sallyport/login.json"), Catch::Contains(token));  // the control: it is the one
}
