#include "tests/unit/relay/cli/cli_site.h"

#include "shared/base/json.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// `tunnel update`, and what the relay says of a wrong word in the command's own words.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

namespace {

const std::vector<std::string> kCreate{"tunnel",
                                       "create",
                                       "erp-db",
                                       "--group",
                                       "dc1",
                                       "--target",
                                       "db:5432",
                                       "--listen",
                                       "[::1]:15",
                                       "--connections",
                                       "5",
                                       "--rate",
                                       "1000",
                                       "--idle",
                                       "1m",
                                       "--expires",
                                       "2027-06-01T08:00:00Z"};

// With a tunnel to change.
struct TunnelSite : CliSite {
  TunnelSite() {
    login(Role::editor);
    REQUIRE(run(kCreate).code == kDone);
  }
};

struct Wrong {
  std::vector<std::string> words;
  std::string says;
};

void complains(const CliSite& site, const Wrong& row, Exit code) {
  const auto ran = site.run(row.words);
  INFO(fmt::format("{}: {}", fmt::join(row.words, " "), ran.err));
  CHECK(ran.code == code);
  CHECK_THAT(ran.err, Catch::Contains(row.says) && !Catch::Contains("\n  /"));
}

std::vector<std::string> update(const std::vector<std::string>& words) {
  std::vector<std::string> all{"tunnel", "update", "erp-db"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

}  // namespace

TEST_CASE("what a tunnel is given later changes, and the rest stays", "[cli][tunnels]") {
  TunnelSite site;
  struct Row {
    std::vector<std::string> words;
    std::string member, is;
  };
  for (const auto& row : {
           Row{{"--from", "10.0.0.0/8", "--from", "::1"}, "networks", R"(["10.0.0.0/8","::1/128"])"},
           Row{{"--role", "viewer"}, "access", R"({"roles":["viewer"],"tokens":[]})"},
           Row{{"--no-role"}, "access", R"({"roles":[],"tokens":[]})"},
           Row{{"--role=owner", "--no-token"}, "access", R"({"roles":["owner"],"tokens":[]})"},
           Row{{"--connections", "7"}, "limits", R"({"bytes_per_second":1000,"connections":7,"idle_seconds":60})"},
           Row{{"--no-rate", "--idle", "1500ms"},
               "limits",
               R"({"bytes_per_second":0,"connections":7,"idle_seconds":2})"},
           Row{{"--rate", "5", "--no-idle"}, "limits", R"({"bytes_per_second":5,"connections":7,"idle_seconds":0})"},
           Row{{"--expires", "2027-07-01T08:00:00Z"}, "expires_at", R"("2027-07-01T08:00:00.000Z")"},
           Row{{"--no-expires"}, "expires_at", "null"},
       }) {
    INFO(fmt::format("{}", fmt::join(row.words, " ")));
    const auto changed = site.json(update(row.words));
    CHECK(to_json(*changed.find(row.member)) == row.is);
    CHECK(text_of(changed, "group_name") == "dc1");
    CHECK(to_json(*site.json({"tunnel", "show", "erp-db"}).find(row.member)) == row.is);
  }
  const auto shown = site.run(update({"--rate", "9"}));
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::Contains("BYTES/S       9\n") && Catch::Contains("IDLE SECONDS  no limit\n"));
}

TEST_CASE("an update that says nothing, or two things at once, is wrong usage", "[cli][tunnels]") {
  TunnelSite site;
  for (const auto& row : {
           Wrong{{}, "nothing to change"},
           Wrong{{"--rate", "5", "--no-rate"}, "--rate and --no-rate exclude each other"},
           Wrong{{"--no-expires", "--expires", "8h"}, "--expires and --no-expires exclude each other"},
           Wrong{{"--role", "owner", "--no-role"}, "--role and --no-role exclude each other"},
           Wrong{{"--expires", "soon"}, "--expires takes a duration"},
           Wrong{{"--idle", "5ms"}, "--idle takes a duration of at least 1s"},
           Wrong{{"--connections", "0"}, "--connections takes a whole number from 1 to 1000"},
           Wrong{{"--rate", "0"}, "--rate takes a whole number from 1"},
           Wrong{{"--no-rate=1"}, "--no-rate takes no value"},
       }) {
    complains(site, {update(row.words), row.says}, kUsage);
  }
}

TEST_CASE("what an update names and is absent is told", "[cli][tunnels][names]") {
  TunnelSite site;
  auto ran = site.run({"tunnel", "update", "nope", "--no-rate"});
  CHECK(ran.code == kNotFound);
  CHECK_THAT(ran.err, Catch::Contains("there is no tunnel \"nope\""));
  ran = site.run(update({"--token", "tok_01J0000000000000000000000A"}));
  CHECK(ran.code == kNotFound);
  CHECK_THAT(ran.err, Catch::Contains("no such API token"));
  site.login(Role::viewer);
  CHECK(site.run(update({"--no-rate"})).code == kNotAllowed);
}

TEST_CASE("the relay's complaint about the body is one about the command's words", "[cli][tunnels]") {
  TunnelSite site;
  for (const auto& row : {
           Wrong{update({"--from", "anywhere"}), "--from: has an entry that is not right"},
           Wrong{update({"--token", "x"}), "--token: has an entry that must be the id of an API token"},
           Wrong{update({"--rate", "9000000000000"}), "--rate: must be from 0"},
           Wrong{update({"--expires", "2020-01-01T00:00:00Z"}), "--expires: must be in the future"},
           Wrong{{"tunnel", "create", "T", "--group", "dc1", "--target", "a:1"}, "NAME: must be lower-case"},
           Wrong{{"tunnel", "create", "t", "--group", "dc1", "--target", "nowhere"}, "--target: is not a target"},
           Wrong{{"group", "create", "No Good"}, "NAME: must be lower-case"},
       }) {
    complains(site, {row.words, "\n  " + row.says}, kFailed);
  }
}

TEST_CASE("networks of a listener that is not there are refused", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  const auto ran = site.run({"tunnel", "create", "t", "--group", "dc1", "--target", "a:1", "--from", "10.0.0.0/8"});
  CHECK(ran.code == kUsage);
  CHECK_THAT(ran.err, Catch::Contains("--from is for the tunnel's listener") && Catch::Contains("--listen"));
}
