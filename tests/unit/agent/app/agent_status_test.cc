#include "agent/app/agent_status.h"

#include "shared/base/json.h"
#include "tests/support/pki.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

agent::Identity identity_of(const test::Pki& pki) {
  auto member = pki.agent();
  return {{"relay.example", 443}, "dc1", member.id, std::move(member.key), member.chain, pki.root.certificate};
}

struct Scene {
  test::MovableClock clock;
  test::Pki pki{clock};
  agent::Identity identity = identity_of(pki);
  policy::Connections connections;

  app::AgentFigures figures(const agent::LinkStatus& link, std::vector<agent::LinkFacts> links = {}) {
    connections["erp"] = {.name = "erp", .settings = policy::SqlConnection{}, .at = {}};
    connections["share"] = {.name = "share", .settings = policy::FileConnection{.root = "/srv/secret-place"}, .at = {}};
    return {.process = 4711,
            .started = clock.wall() - 3h - 12min,
            .clock = clock,
            .identity = identity,
            .link = link,
            .links = std::move(links),
            .way = {agent::Way::websocket, "CN=Inspector"},
            .engine = {.relay_jobs = 2, .local_jobs = 1, .running_steps = 1, .watched_recipes = 3, .outbox = {7, 900}},
            .tunnel_connections = 5,
            .connections = connections,
            .uses = {{"erp", "timeout", clock.wall()}},
            .system_keys = {{"secret-name-1", 3, true}, {"secret-name-2", 1, false}, {"secret-name-3", 2, true}}};
  }
  agent::LinkStatus ready() const {
    return {.state = agent::LinkState::ready, .since = clock.steady() - 65s, .relay_software = "sallyport-relay/9"};
  }
};

}  // namespace

TEST_CASE("what an agent says of itself is whole, and nothing of it is a setting", "[app][status]") {
  Scene scene;
  const auto link = scene.ready();
  const agent::LinkFacts first{.number = 0,
                               .address = {"relay.example", 443},
                               .state = agent::LinkState::ready,
                               .ready_since = scene.clock.steady() - 65s,
                               .round_trip = 12ms,
                               .carries_jobs = true};
  const agent::LinkFacts second{.number = 1, .address = {"::1", 443}};
  const auto status = app::status_of(scene.figures(link, {first, second}));
  const auto json = to_json(status);
  CHECK(parse_json(json).value() == status);
  CHECK(json.find("secret-place") == std::string::npos);
  CHECK(json.find("secret-name") == std::string::npos);
  CHECK(app::is_linked(status));
  const auto text = app::status_text(status);
  for (const std::string_view line :
       {"process      4711, version", "up for 3 h 12 min",
        "link         ready for 1 min 5 s, sallyport-relay/9, way: websocket", "issued by: CN=Inspector",
        "0 to relay.example:443, ready for 1 min 5 s, round trip 12 ms, with the jobs", "1 to [::1]:443, connecting",
        "jobs         2 of the relay, 1 of its own triggers, 1 step running", "triggers     3 recipes watched",
        "reports      7 not yet confirmed by the relay (900 bytes)", "tunnels      5 connections",
        "system keys  3 sealed to this agent", "1 of them cannot be opened here",
        "connection   erp (sql): failing, timeout", "connection   share (file): not used yet"}) {
    INFO(text);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE("system keys that all open are counted, and no more is said", "[app][status]") {
  Scene scene;
  const auto link = scene.ready();
  auto figures = scene.figures(link);
  figures.system_keys = {{"one", 1, true}};
  auto text = app::status_text(app::status_of(figures));
  CHECK(text.find("system keys  1 sealed") != std::string::npos);
  CHECK(text.find("cannot be opened") == std::string::npos);
  figures.system_keys.clear();
  text = app::status_text(app::status_of(figures));
  CHECK(text.find("system keys  0 sealed") != std::string::npos);
}

TEST_CASE("a certificate whose time is over says so, and what to do", "[app][status]") {
  Scene scene;
  const auto link = scene.ready();
  const auto text = [&] { return app::status_text(app::status_of(scene.figures(link))); };
  CHECK(text().find("certificate  ends ") != std::string::npos);
  CHECK(text().find("reenrol") == std::string::npos);
  scene.clock.advance(31 * 24h);
  CHECK(app::status_of(scene.figures(link)).find("certificate_ended")->as_bool());
  CHECK(text().find("certificate  ended ") != std::string::npos);
  CHECK(text().find("sallyport agent reenrol") != std::string::npos);
}

TEST_CASE("an agent is linked when a link is ready and the relay has not disowned it", "[app][status]") {
  Scene scene;
  agent::LinkStatus away{.state = agent::LinkState::connecting, .since = scene.clock.steady(), .failures = 4};
  away.last_problem = "connecting to relay.example:443: connection refused";
  const auto lost = app::status_of(scene.figures(away));
  CHECK_FALSE(app::is_linked(lost));
  CHECK(app::status_text(lost).find("last problem: " + away.last_problem) != std::string::npos);
  auto disowned = scene.ready();
  disowned.disowned = "revoked";
  const auto refused = app::status_of(scene.figures(disowned));
  CHECK_FALSE(app::is_linked(refused));
  CHECK(app::status_text(refused).find("the relay refuses this agent: revoked") != std::string::npos);
}

TEST_CASE("the status of another version is shown as far as it is understood", "[app][status]") {
  const auto odd =
      parse_json(R"({"link":[],"links":"none","jobs":7,"agent":3,"connections":[1,{"name":"x"}]})").value();
  CHECK_FALSE(app::is_linked(odd));
  CHECK(app::status_text(odd).find("connection   x") != std::string::npos);
  CHECK_FALSE(app::status_text(parse_json("{}").value()).empty());
}
