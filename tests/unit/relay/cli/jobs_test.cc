#include "tests/unit/relay/cli/cli_site.h"

#include "shared/base/json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include <thread>

// `sallyport jobs` against the real API.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

TEST_CASE("why a job started late, or again, is shown with the agent that had it before", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
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

TEST_CASE("a dry run is started with a word, and told from real ones", "[cli][relay][dry]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
  const auto real = only_line(site.run({"jobs", "start", "orders"}).out);
  CHECK_THAT(site.run({"jobs", "list"}).out, !Catch::Contains("dry run"));
  const auto dry = only_line(site.run({"jobs", "start", "orders", "--dry-run"}).out);
  CHECK_THAT(site.run({"jobs", "list"}).out, Catch::Contains("manual (dry run)"));
  const auto shown = site.run({"jobs", "show", dry});
  CHECK_THAT(shown.out, Catch::Contains("manual (dry run: without effects)"));
  CHECK_THAT(site.run({"jobs", "show", real}).out, !Catch::Contains("dry run"));
  CHECK(site.json({"jobs", "show", dry}).find("dry_run")->as_bool());
  site.finish(JobId(dry), domain::JobState::failed);
  CHECK_THAT(site.run({"jobs", "show", dry}).out, Catch::Contains("PLAN"));
  CHECK(count_of(site.json({"jobs", "rerun", "--failed", "orders"})) == 0);  // it is no failure of the recipe's
}

TEST_CASE("jobs are started, listed, shown and cancelled by people who think in names", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
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
  site.settle_recipe("orders");
  for (int i = 0; i < 3; ++i) site.start("orders");
  const auto cut = site.run({"jobs", "list", "--limit", "2"});
  CHECK(cut.code == kDone);
  const auto part = site.json({"jobs", "list", "--limit", "2"});
  const auto next = text_of(part, "next");
  CHECK_FALSE(next.empty());
  CHECK_THAT(cut.err, Catch::Contains("there are more") && Catch::Contains("--cursor " + next));
  const auto wrong = site.run({"jobs", "list", "--cursor", "nonsense"});
  CHECK_THAT(wrong.err, Catch::Contains("--cursor: ") && !Catch::Contains("?cursor"));
  const auto rest = site.json({"jobs", "list", "--cursor", next});
  CHECK(count_of(rest) == 1);
  CHECK(rest.find("next")->is_null());
  CHECK(site.run({"jobs", "list", "--limit", "3"}).err.empty());
  CHECK(site.json({"groups", "list"}).find("next")->is_null());
}

TEST_CASE("the same event key starts one job", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
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
  site.settle_recipe("orders");
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
  site.settle_recipe("orders");
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

// The clock passes what two hours were kept for, and it is shredded.
static asio::awaitable<void> let_expire(World& world, OrgId org) {
  world.clock.advance(std::chrono::hours(4));
  const auto now = store::hour_of(world.clock.wall());
  for (const auto* kind : {"payload", "logs"}) must(co_await world.stores.job_keys.purge(org, {kind, 2}, now, 100));
}

TEST_CASE("what has expired of a job is told as gone, and since when", "[cli][relay][retention]") {
  CliSite site;
  site.login(Role::owner);
  REQUIRE(site.run({"retention", "set", "payload=2h", "logs=2h", "--shorten"}).code == kDone);
  site.settle_recipe("orders");
  const auto job = site.start("orders");
  site.finish(job, domain::JobState::failed);
  const auto before = site.run({"jobs", "log", job.value});
  CHECK_FALSE(before.out.empty());
  CHECK(before.err.empty());
  CHECK_THAT(site.run({"history", "show", job.value}).out, Catch::Contains("kept") && !Catch::Contains("gone"));

  site.on_loop(let_expire(site.world, site.tenant.org));
  const auto log = site.run({"jobs", "log", job.value});
  CHECK(log.code == kDone);
  CHECK(log.out.empty());
  CHECK_THAT(log.err, Catch::Contains("its retention ended on 20"));
  const auto again = site.run({"jobs", "rerun", job.value});
  CHECK(again.code == kFailed);
  CHECK_THAT(again.err, Catch::Contains("the retention of its data ended on 20"));
  CHECK_THAT(site.run({"history", "show", job.value}).out, Catch::Contains("gone (its retention has ended)"));
}

TEST_CASE("a failure that cannot be run again keeps no other from it", "[cli][relay]") {
  CliSite site;
  site.login(Role::editor);
  site.settle_recipe("orders");
  const auto first = site.start("orders"), second = site.start("orders");
  site.finish(first, domain::JobState::failed);
  site.finish(second, domain::JobState::failed);
  const auto ran = site.run({"jobs", "rerun", "--failed", "orders", "--from", "nowhere"});
  CHECK(ran.code == kFailed);
  CHECK_THAT(ran.err, Catch::Contains(first.value + ": ") && Catch::Contains(second.value + ": ") &&
                          Catch::Contains("2 of 2 failed jobs were not run again"));
  CHECK_THAT(ran.out, Catch::StartsWith("ID"));
}
