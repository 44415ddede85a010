#include "shared/base/json.h"
#include "tests/unit/relay/cli/cli_site.h"

#include <catch2/catch.hpp>

// `retention`: of the organisation and of the platform.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

namespace {

std::string in_effect(const Value& retention, std::string_view one) {
  return text_of(*retention.find(one), "in_effect");
}

// A platform admin at a machine of their own.
Ran as_admin(CliSite& site, const std::vector<std::string>& words) {
  auto machine = site.machine();
  machine.environment["SALLYPORT_TOKEN"] = site.on_loop(site.world.platform_token());
  return run_cli(words, machine);
}

}  // namespace

TEST_CASE("retention is shown and set, class by class", "[cli][retention]") {
  CliSite site;
  site.login(Role::owner);
  const auto table = site.run({"retention", "show"});
  CHECK(table.code == kDone);
  CHECK_THAT(table.out, Catch::Contains("CLASS") && Catch::Contains("IN EFFECT"));
  CHECK_THAT(only_line(table.out.substr(table.out.find("payload"), table.out.find("logs") - table.out.find("payload"))),
             Catch::Contains("45d"));

  auto now = site.json({"retention", "set", "payload=30d", "logs=36h", "--shorten"});
  CHECK(in_effect(now, "payload") == "30d");
  CHECK(in_effect(now, "logs") == "36h");
  now = site.json({"retention", "set", "payload=default"});
  CHECK(now.find("payload")->find("set")->is_null());
  CHECK(in_effect(now, "payload") == "45d");
  CHECK(in_effect(now, "logs") == "36h");  // it was not named
}

TEST_CASE("keeping data for less takes a word of its own", "[cli][retention]") {
  CliSite site;
  site.login(Role::owner);
  const auto asked = site.run({"retention", "set", "payload=none"});
  CHECK(asked.code == kFailed);
  CHECK_THAT(asked.err, Catch::Contains("say --shorten: ") && !Catch::Contains("confirmed") &&
                            Catch::Contains("payload would be kept for none instead of 45d") &&
                            Catch::Contains("nothing brings it back"));
  CHECK(in_effect(site.json({"retention", "show"}), "payload") == "45d");
}

TEST_CASE("the help of each level says what may be set there", "[cli][retention]") {
  const auto ours = run_cli({"retention", "set", "--help"}),
             platform = run_cli({"retention", "platform", "set", "--help"});
  CHECK_THAT(ours.out, Catch::Contains("none for payload"));
  CHECK_THAT(platform.out, Catch::Contains("TIME is in whole hours") && !Catch::Contains("none"));
}

TEST_CASE("what is no setting is refused in the words of the command", "[cli][retention]") {
  CliSite site;
  site.login(Role::owner);
  for (const auto* word : {"payload", "=3d", "payload="}) {
    const auto wrong = site.run({"retention", "set", word});
    INFO(word);
    CHECK(wrong.code == kUsage);
    CHECK_THAT(wrong.err, Catch::Contains("such as payload=30d"));
  }
  const auto twice = site.run({"retention", "set", "logs=1d", "logs=2d"});
  CHECK(twice.code == kUsage);
  CHECK_THAT(twice.err, Catch::Contains("logs is set twice"));
  const auto unknown = site.run({"retention", "set", "server_logs=3d"});
  CHECK(unknown.code == kFailed);
  CHECK_THAT(unknown.err, Catch::Contains("there are archive, audit, logs, payload"));
  const auto long_one = site.run({"retention", "set", "payload=46d"});
  CHECK(long_one.code == kFailed);
  CHECK_THAT(long_one.err, Catch::Contains("payload: must be at most 45d") && !Catch::Contains("\n  /"));
}

TEST_CASE("who is no owner sees the retention and does not set it", "[cli][retention]") {
  CliSite site;
  site.login(Role::editor);
  CHECK(in_effect(site.json({"retention", "show"}), "payload") == "45d");
  CHECK(site.run({"retention", "set", "payload=30d", "--shorten"}).code == kNotAllowed);
  CHECK(site.run({"retention", "platform", "show"}).code == kNotAllowed);
}

TEST_CASE("a platform admin sets what organisations keep at most", "[cli][retention]") {
  CliSite site;
  site.login(Role::owner);
  const auto set = as_admin(site, {"retention", "platform", "set", "payload=90d", "server_logs=7d", "--shorten"});
  INFO(set.err);
  CHECK(set.code == kDone);
  CHECK_THAT(set.out, Catch::Contains("server_logs") && Catch::Contains("90d"));
  CHECK(text_of(*site.json({"retention", "show"}).find("payload"), "allowed") == "90d");
}
