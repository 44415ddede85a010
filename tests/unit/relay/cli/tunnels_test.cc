#include "relay/cli/reach_text.h"
#include "tests/unit/relay/cli/cli_site.h"

#include "shared/base/json.h"
#include "shared/crypto/new_id.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

// Tunnels on the command line, against the real API; what carries them says what the test wrote down.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;
using domain::Role;

namespace {

asio::awaitable<void> say(World& world, tunnels::Reach answer) {
  world.desk.answer = std::move(answer);
  co_return;
}

asio::awaitable<void> carry(World& world, Tenant tenant, TunnelId tunnel, AgentId agent) {
  store::TunnelConnection one{.id = crypto::new_id<TunnelConnectionId>(world.clock),
                              .tunnel = tunnel,
                              .agent = agent,
                              .source = "127.0.0.1",
                              .opened_at = world.clock.wall(),
                              .closed_at = world.clock.wall(),
                              .to_target = 120,
                              .from_target = 4096,
                              .end = "target_reset",
                              .detail = "connection reset by peer"};
  world.clock.advance(std::chrono::seconds(1));
  auto open = one;
  open.id = crypto::new_id<TunnelConnectionId>(world.clock);
  open.closed_at.reset();
  open.end.clear();
  open.detail.clear();
  must(co_await world.stores.tunnels.note_connections(tenant.org, {one, open}));
}

tunnels::Reach refused(const AgentId& agent) {
  return {.asked = true,
          .agent = agent,
          .allowed = false,
          .rule = "policy.yaml:1 tunnels",
          .answers = false,
          .detail = "no rule of the policy allows it"};
}

tunnels::Reach reached(const AgentId& agent) {
  return {.asked = true, .agent = agent, .allowed = true, .rule = {}, .answers = true, .detail = {}, .connect_ms = 12};
}

const std::vector<std::string> kCreate{"tunnel",   "create",           "erp-db",   "--group",        "dc1",
                                       "--target", "db.internal:5432", "--listen", "127.0.0.1:15432"};

std::vector<std::string> operator+(std::vector<std::string> words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

TEST_CASE("a tunnel is made with one line, which says what the agent thinks of it", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  const auto lonely = site.run(kCreate);
  INFO(lonely.err);
  CHECK(lonely.code == kDone);
  CHECK(lonely.out ==
        "tunnel erp-db made\n"
        "it listens on 127.0.0.1:15432 of the relay's machine, for 127.0.0.0/8, ::1/128\n"
        "no agent could be asked: no agent of the group is linked\n");
  REQUIRE(site.run({"tunnel", "delete", "erp-db"}).code == kDone);

  site.on_loop(say(site.world, refused(site.agent)));
  const auto not_allowed = site.run(kCreate);
  CHECK(not_allowed.code == kDone);
  CHECK_THAT(not_allowed.out,
             Catch::EndsWith("the policy of agent erp-host does not allow db.internal:5432 (policy.yaml:1 tunnels)\n"
                             "to allow it, write this into policy.yaml on its host, and restart the agent:\n"
                             "  tunnels:\n"
                             "    - {target: \"db.internal:5432\"}\n"));
  REQUIRE(site.run({"tunnel", "delete", "erp-db"}).code == kDone);

  site.on_loop(say(site.world, reached(site.agent)));
  const auto good = site.json(kCreate + std::vector<std::string>{"--agent", "erp-host"});
  CHECK(text_of(good, "name") == "erp-db");
  CHECK(text_of(good, "group_name") == "dc1");
  CHECK(text_of(good, "agent") == site.agent.value);
  CHECK(text_of(*good.find("reach"), "agent_name") == "erp-host");
  CHECK(good.find("reach")->find("answers")->as_bool());
}

TEST_CASE("what a tunnel is given on the command line reaches the relay", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  const auto made = site.json(kCreate + std::vector<std::string>{"--from", "10.0.0.0/8", "--from=192.168.0.0/16",
                                                                 "--connections", "5", "--rate", "1000000", "--idle",
                                                                 "1500ms", "--expires", "2027-06-01T08:00:00Z"});
  CHECK(to_json(*made.find("networks")) == R"(["10.0.0.0/8","192.168.0.0/16"])");
  CHECK(to_json(*made.find("limits")) == R"({"bytes_per_second":1000000,"connections":5,"idle_seconds":2})");
  CHECK(text_of(made, "expires_at") == "2027-06-01T08:00:00.000Z");
}

TEST_CASE("a tunnel may end after a while", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  auto machine = site.machine();
  const auto now = site.world.clock.wall();
  machine.tune = [&](Context& context) {
    context.clock = std::shared_ptr<const Clock>(&site.world.clock, [](const Clock*) {});
  };
  const auto ran = run_cli({"tunnel", "create", "t", "--group", "dc1", "--target", "a:1", "--expires", "8h"}, machine);
  INFO(ran.err);
  CHECK(ran.code == kDone);
  CHECK_THAT(ran.out, Catch::Contains("it has no listener"));
  CHECK(text_of(site.json({"tunnel", "show", "t"}), "expires_at") == rfc3339(now + std::chrono::hours(8)));
}

TEST_CASE("tunnels are listed, shown, paused, resumed and deleted by their names", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  REQUIRE(site.run(kCreate).code == kDone);
  const auto listed = site.run({"tunnels", "list"});
  CHECK_THAT(listed.out, Catch::StartsWith("ID") && Catch::Contains(" erp-db ") && Catch::Contains(" dc1 ") &&
                             Catch::Contains(" db.internal:5432 ") && Catch::Contains(" 127.0.0.1:15432 ") &&
                             Catch::Contains(" listening "));
  const auto id = text_of(site.json({"tunnel", "list"}).find("items")->as_list().at(0), "id");
  for (const auto& word : {std::string("erp-db"), id}) {
    const auto shown = site.run({"tunnel", "show", word});
    INFO(shown.err);
    CHECK(shown.code == kDone);
    CHECK_THAT(shown.out,
               Catch::Contains("TARGET        db.internal:5432\n") && Catch::Contains("GROUP         dc1\n") &&
                   Catch::Contains("FROM          127.0.0.0/8, ::1/128\n") && Catch::Contains("MOST OPEN     100\n") &&
                   Catch::Contains("BYTES/S       no limit\n") && Catch::Contains("IDLE SECONDS  no limit\n"));
    CHECK(site.json({"tunnel", "show", word}).find("limits")->find("idle_seconds")->as_int() == 0);
  }
  const auto paused = site.run({"tunnel", "pause", "erp-db"});
  CHECK(paused.code == kDone);
  CHECK_THAT(paused.out, Catch::Contains("STATUS        paused\n"));
  CHECK(site.json({"tunnel", "list", "--status", "paused"}).find("items")->as_list().size() == 1);
  CHECK(site.json({"tunnel", "list", "--status", "active"}).find("items")->as_list().empty());
  CHECK(site.run({"tunnel", "list", "--status", "open"}).code == kUsage);
  CHECK(text_of(site.json({"tunnel", "resume", "erp-db"}), "status") == "active");
  const auto gone = site.run({"tunnel", "delete", "erp-db"});
  CHECK(gone.code == kDone);
  CHECK(gone.out ==
        fmt::format("tunnel erp-db removed; its access records stay: sallyport tunnel connections {}\n", id));
  CHECK(site.run({"tunnel", "show", id}).code == kNotFound);
}

TEST_CASE("a check is done only when the target can be reached", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  REQUIRE(site.run(kCreate).code == kDone);
  const auto alone = site.run({"tunnel", "check", "erp-db"});
  CHECK(alone.code == kFailed);
  CHECK(alone.out == "no agent could be asked: no agent of the group is linked\n");
  CHECK(alone.err.empty());
  site.on_loop(say(site.world, reached(site.agent)));
  const auto good = site.run({"tunnel", "check", "erp-db"});
  CHECK(good.code == kDone);
  CHECK(good.out == "the policy of agent erp-host allows db.internal:5432, and it answers (12 ms)\n");
  site.on_loop(say(site.world, refused(site.agent)));
  CHECK(site.run({"tunnel", "check", "erp-db", "-o", "json"}).code == kFailed);
}

TEST_CASE("a tunnel that nobody gets into is not reachable, whatever its target does", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  REQUIRE(site.run(kCreate).code == kDone);
  site.on_loop(say(site.world, reached(site.agent)));
  REQUIRE(site.run({"tunnel", "pause", "erp-db"}).code == kDone);
  auto checked = site.run({"tunnel", "check", "erp-db"});
  CHECK(checked.code == kFailed);
  CHECK_THAT(checked.out,
             Catch::Contains("and it answers") &&
                 Catch::EndsWith("the tunnel is paused, nobody gets in: sallyport tunnel resume erp-db\n"));
  checked = site.run({"tunnel", "check", "erp-db", "-o", "json"});
  CHECK(checked.code == kFailed);
  CHECK_THAT(checked.err, Catch::Contains("the tunnel is paused"));
  REQUIRE(site.run({"tunnel", "resume", "erp-db"}).code == kDone);
  CHECK(site.run({"tunnel", "check", "erp-db"}).code == kDone);
}

TEST_CASE("access records tell who came and how it ended, also when the tunnel is gone", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  const auto id = text_of(site.json(kCreate), "id");
  site.on_loop(carry(site.world, site.tenant, TunnelId(id), site.agent));
  const auto shown = site.run({"tunnel", "connections", "erp-db"});
  INFO(shown.err);
  CHECK(shown.code == kDone);
  CHECK_THAT(shown.out, Catch::StartsWith("OPENED") && Catch::Contains(" 127.0.0.1 ") &&
                            Catch::Contains(" erp-host ") && Catch::Contains(" 4096 ") &&
                            Catch::Contains(" target_reset  connection reset by peer\n"));
  const auto first = site.run({"tunnel", "connections", "erp-db", "--limit", "1"});
  CHECK_THAT(first.err, Catch::Contains("there are more: --limit N"));
  REQUIRE(site.run({"tunnel", "delete", "erp-db"}).code == kDone);
  CHECK(site.run({"tunnel", "connections", "erp-db"}).code == kNotFound);
  CHECK(site.json({"tunnel", "connections", id}).find("items")->as_list().size() == 2);
}

TEST_CASE("of the things that a tunnel needs, the absent one is told", "[cli][tunnels][names]") {
  CliSite site;
  site.login(Role::editor);
  const std::string no_group = "grp_01J0000000000000000000000A", no_agent = "agt_01J0000000000000000000000A",
                    no_tunnel = "tun_01J0000000000000000000000A";
  struct Row {
    std::vector<std::string> words;
    std::string says;
  };
  const auto create = [](std::string group, const std::vector<std::string>& more) {
    return std::vector<std::string>{"tunnel", "create", "t", "--group", std::move(group), "--target", "a:1"} + more;
  };
  std::vector<Row> rows{
      {create("nope", {}), "there is no group \"nope\"; see: sallyport group list"},
      {create(no_group, {}), "there is no group \"" + no_group},
      {create("dc1", {"--agent", "nope"}), "there is no agent \"nope\"; see: sallyport agent list"},
      {create("dc1", {"--agent", no_agent}), "there is no group \"dc1\" with an agent \"" + no_agent}};
  for (const auto* verb : {"show", "check", "pause", "resume", "delete", "connections"}) {
    rows.push_back({{"tunnel", verb, "nope"}, "there is no tunnel \"nope\"; see: sallyport tunnel list"});
    rows.push_back({{"tunnel", verb, no_tunnel}, "there is no tunnel \"" + no_tunnel});
  }
  for (const auto& row : rows) {
    const auto ran = site.run(row.words);
    INFO(fmt::format("{}: {}", fmt::join(row.words, " "), ran.err));
    CHECK(ran.code == kNotFound);
    CHECK_THAT(ran.err, Catch::Contains(row.says));
  }
}

TEST_CASE("a tunnel that the relay refuses says which word is wrong", "[cli][tunnels]") {
  CliSite site;
  site.login(Role::editor);
  const auto bad = site.run({"tunnel", "create", "t", "--group", "dc1", "--target", "nowhere", "--listen", "here:1"});
  CHECK(bad.code == kFailed);
  CHECK_THAT(bad.err, Catch::Contains("--target: is not a target") && Catch::Contains("--listen: must be an address"));
  site.login(Role::viewer);
  CHECK(site.run(kCreate).code == kNotAllowed);
  CHECK(site.run({"tunnel", "list"}).code == kDone);
}

TEST_CASE("what an agent says of a target cannot steer the terminal", "[cli][tunnels]") {
  const auto reach = parse_json(R"({"asked":true,"agent":"agt_x","agent_name":"a\u001b[2Jb","allowed":false,
                                    "rule":"policy.yaml:1\u009b","answers":false,"detail":"","connect_ms":0})");
  REQUIRE(reach);
  CHECK_THAT(reach_text(*reach, "a:1"), Catch::Contains(R"(agent a\x1b[2Jb does not allow a:1 (policy.yaml:1\u009b))"));
}

TEST_CASE("every answer of an agent is told in its own words", "[cli][tunnels]") {
  struct Row {
    const char* members;
    const char* text;
    bool reachable;
  };
  const auto row =
      GENERATE(Row{R"("asked":false,"allowed":false,"answers":false,"rule":null,"detail":"none is linked")",
                   "no agent could be asked: none is linked\n", false},
               Row{R"("asked":true,"allowed":true,"answers":true,"rule":null,"detail":"")",
                   "the policy of agent h allows a:1, and it answers (7 ms)\n", true},
               Row{R"("asked":true,"allowed":true,"answers":false,"rule":null,"detail":"connection refused")",
                   "the policy of agent h allows a:1, but it does not answer: connection refused\n", false},
               Row{R"("asked":true,"allowed":false,"answers":false,"rule":null,"detail":"no answer in time")",
                   "agent h does not say whether a:1 can be reached: no answer in time\n", false});
  const auto reach = parse_json(fmt::format(R"({{"agent_name":"h","connect_ms":7,{}}})", row.members));
  REQUIRE(reach);
  CHECK(reach_text(*reach, "a:1") == row.text);
  CHECK(is_reachable(*reach) == row.reachable);
}
