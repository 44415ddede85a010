#include "tests/unit/relay/cli/cli_site.h"

#include "relay/cli/usage.h"
#include "relay/jobs/sealing.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <thread>

// The CLI against the real API: HTTPS, tokens, store.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

namespace {

// The file of a recipe with one step, stored and active.
std::string settle_recipe(CliSite& site, const std::string& name, std::string_view message = "done") {
  const auto file = site.folder.write(name + ".yaml", recipe_yaml(name, "dc1", message));
  const auto ran = site.run({"recipes", "apply", "-f", file, "--activate"});
  INFO(ran.err);
  REQUIRE(ran.code == kDone);
  return file;
}

const Value& first_of(const Value& list) { return list.find("items")->as_list().at(0); }
std::size_t count_of(const Value& list) { return list.find("items")->as_list().size(); }

std::string only_line(const std::string& text) {
  CHECK(text.ends_with('\n'));
  return text.substr(0, text.find('\n'));
}

}  // namespace

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

TEST_CASE("the jobs of a deleted recipe keep its name and are found by it", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto job = only_line(site.run({"jobs", "start", "orders"}).out);
  site.finish(JobId(job), domain::JobState::failed);
  REQUIRE(site.run({"recipes", "deactivate", "orders"}).code == 0);
  REQUIRE(site.run({"recipes", "delete", "orders"}).code == 0);
  for (const auto& words : {std::vector<std::string>{"jobs", "list"}, {"jobs", "list", "--recipe", "orders"}}) {
    const auto listed = site.run(words);
    CHECK_THAT(listed.out, Catch::Contains(job) && Catch::Contains("orders") && !Catch::Contains("rcp_"));
  }
  CHECK_THAT(site.run({"jobs", "show", job}).out, Catch::Contains("RECIPE       orders"));
  CHECK_THAT(site.run({"jobs", "list", "--recipe", "order"}).err, Catch::Contains("there is no recipe"));
}

TEST_CASE("why a job started late, or again, is shown with the agent that had it before", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto job = site.start("orders");
  const auto& org = site.tenant.org;
  auto& jobs = site.world.stores.jobs;
  CHECK(site.json({"jobs", "show", job.value}).find("taken_back")->as_list().empty());
  CHECK_THAT(site.run({"jobs", "show", job.value}).out, !Catch::Contains("TAKEN BACK"));
  const auto at = from_unix_ms(1'700'000'000'000);
  must(site.on_loop(jobs.claim(org, job, {site.agent, 0, at, at})));
  must(site.on_loop(jobs.release(org, job, 1, {at, domain::ReleaseReason::holder_lost})));
  const auto why = fmt::format("taken back from {}: the agent did not renew its lease; it waits for the next agent",
                               site.agent.value);
  const auto logged = site.run({"jobs", "log", job.value});
  CHECK(logged.out ==
        fmt::format("2023-11-14T22:13:20.000Z  job.taken_back {:24} queued  (holder_lost) {}\n", "", why));
  const auto shown = site.run({"jobs", "show", job.value});
  CHECK_THAT(shown.out, Catch::Contains("TAKEN BACK ") && Catch::Contains("holder_lost") && Catch::Contains(why));
  const auto agent = text_of(site.json({"agent", "show", site.agent.value}), "name");
  CHECK_THAT(shown.out, Catch::Contains("20.000Z  " + agent + " "));
  const auto taken = site.json({"jobs", "show", job.value}).find("taken_back")->as_list();
  REQUIRE(taken.size() == 1);
  CHECK(text_of(taken[0], "agent") == site.agent.value);
  CHECK(text_of(taken[0], "agent_name") == agent);
}

TEST_CASE("jobs are started, listed, shown and cancelled by people who think in names", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto job = only_line(site.run({"jobs", "start", "orders"}).out);
  REQUIRE(job.starts_with("job_"));
  const auto listed = site.run({"jobs", "list"});
  CHECK_THAT(listed.out, Catch::StartsWith("ID") && Catch::Contains("RECIPE") && Catch::Contains(job) &&
                             Catch::Contains("orders") && !Catch::Contains("rcp_"));
  site.finish(JobId(job), domain::JobState::failed);
  const auto shown = site.run({"jobs", "show", job});
  CHECK_THAT(shown.out, Catch::Contains("RECIPE       orders") && Catch::Contains("VERSION      1") &&
                            Catch::Contains("AGENT        erp-host") && Catch::Contains("no route to erp") &&
                            !Catch::Contains("rcp_") && !Catch::Contains("agt_"));
  const auto value = site.json({"jobs", "show", job});
  CHECK(text_of(value, "recipe_name") == "orders");
  CHECK(text_of(value, "recipe").starts_with("rcp_"));
  CHECK(value.find("steps")->as_list().size() == 1);
  const auto second = only_line(site.run({"jobs", "start", text_of(value, "recipe")}).out);  // by id
  CHECK(site.run({"jobs", "cancel", second}).out == second + " cancelled\n");
  const auto ended = site.run({"jobs", "cancel", second});
  CHECK(ended.code == kFailed);
  CHECK_THAT(ended.err, Catch::Contains("the job has ended: cancelled"));
  CHECK(count_of(site.json({"jobs", "list", "--state", "cancelled"})) == 1);
  CHECK(count_of(site.json({"jobs", "list", "--recipe", "orders", "--limit", "1"})) == 1);
  CHECK(count_of(site.json({"jobs", "list", "--agent", "erp-host"})) == 1);
  for (const auto* priority : {"9", "0"}) {
    const auto started = site.json({"jobs", "start", "orders", "--priority", priority});
    CHECK(started.find("priority")->as_int() == priority[0] - '0');
  }
  const auto missing = site.run({"jobs", "start", "orders", "--version", "8"});
  CHECK(missing.code == kNotFound);
  CHECK_THAT(missing.err, Catch::Contains("no version 8 of it"));
}

TEST_CASE("a list that was cut says so, and goes on where it was cut", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  for (int i = 0; i < 3; ++i) site.start("orders");
  const auto cut = site.run({"jobs", "list", "--limit", "2"});
  CHECK(cut.code == kDone);
  const auto part = site.json({"jobs", "list", "--limit", "2"});
  const auto next = text_of(part, "next");
  CHECK_FALSE(next.empty());
  CHECK_THAT(cut.err, Catch::Contains("there are more") && Catch::Contains("--cursor " + next));
  const auto rest = site.json({"jobs", "list", "--cursor", next});
  CHECK(count_of(rest) == 1);
  CHECK(rest.find("next")->is_null());
  CHECK(site.run({"jobs", "list", "--limit", "3"}).err.empty());
  CHECK(site.json({"groups", "list"}).find("next")->is_null());
}

TEST_CASE("the same event key starts one job", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto inputs = site.folder.write("inputs.json", "{}");
  const std::vector<std::string> words{"jobs", "start", "orders", "--event-key", "e1", "--inputs", inputs};
  const auto first = site.run(words), second = site.run(words);
  CHECK(first.out == second.out);
  CHECK(first.err.empty());
  CHECK(second.code == kDone);
  CHECK(second.err ==
        fmt::format("sallyport: nothing new was started: {} has this event key, queued\n", only_line(first.out)));
  CHECK(count_of(site.json({"jobs", "list"})) == 1);
  site.folder.write("inputs.json", "{");
  const auto broken = site.run(words);
  CHECK(broken.code == kFailed);
  CHECK_THAT(broken.err, Catch::Contains("inputs.json"));
}

TEST_CASE("a job is watched to its end", "[cli][relay][watch]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto good = site.start("orders"), bad = site.start("orders");
  site.finish(good, domain::JobState::succeeded);
  const auto ended = site.run({"jobs", "watch", good.value});
  CHECK(ended.code == kDone);
  CHECK_THAT(ended.out, Catch::Contains("step.started   rows") && Catch::EndsWith(good.value + " succeeded\n"));
  Ran live;
  std::thread watcher([&] { live = site.run({"jobs", "watch", bad.value, "-o", "json"}); });
  site.finish(bad, domain::JobState::failed);
  watcher.join();
  CHECK(live.code == kFailed);
  std::size_t lines = 0;
  for (std::size_t at = 0, end = 0; (end = live.out.find('\n', at)) != std::string::npos; at = end + 1, ++lines) {
    INFO(live.out.substr(at, end - at));
    CHECK(parse_json(live.out.substr(at, end - at)));
  }
  CHECK(lines >= 5);  // the job's states and four entries
  const auto log = site.run({"jobs", "log", bad.value});
  CHECK(log.code == kDone);
  CHECK_THAT(log.out, Catch::Contains("job.finished") && Catch::Contains("failed  (connection) no route to erp\n"));
  CHECK_THAT(live.out, Catch::Contains(R"("error_class":"connection")") && Catch::Contains("no route to erp"));
}

TEST_CASE("failures are run again, one or all of them, once", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto first = site.start("orders"), second = site.start("orders"), good = site.start("orders");
  site.finish(first, domain::JobState::failed);
  site.finish(second, domain::JobState::failed);
  site.finish(good, domain::JobState::succeeded);
  const auto one = only_line(site.run({"jobs", "rerun", first.value}).out);
  CHECK(text_of(site.json({"jobs", "show", one}), "rerun_of") == first.value);
  const auto rest = site.run({"jobs", "rerun", "--failed", "orders"});
  CHECK(rest.code == kDone);
  CHECK_THAT(rest.out, Catch::StartsWith("ID") && Catch::Contains("orders"));
  CHECK(count_of(site.json({"jobs", "list"})) == 5);  // `second` was run again; `first` was already, `good` need not be
  CHECK(count_of(site.json({"jobs", "rerun", "--failed", "orders"})) == 0);
}

TEST_CASE("a failure that cannot be run again keeps no other from it", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  settle_recipe(site, "orders");
  const auto first = site.start("orders"), second = site.start("orders");
  site.finish(first, domain::JobState::failed);
  site.finish(second, domain::JobState::failed);
  const auto ran = site.run({"jobs", "rerun", "--failed", "orders", "--from", "nowhere"});
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains(first.value + ": ") && Catch::Contains(second.value + ": ") &&
                          Catch::Contains("2 of 2 failed jobs were not run again"));
  CHECK_THAT(ran.out, Catch::StartsWith("ID"));
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
  settle_recipe(site, "orders");
  site.finish(site.start("orders"), domain::JobState::succeeded);
  for (const auto& command : all_commands()) {
    if (!command.verb.ends_with("list")) continue;
    if (command.noun == "organisation") continue;  // for platform admins
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
  CHECK_THAT(site.run({"audit", "verify"}).out, Catch::Matches("intact: [0-9]+ audit events\n"));
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
