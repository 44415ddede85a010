#include "relay/gateway/links.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::gateway;
using namespace std::chrono_literals;

namespace {

struct FakeLive final : LiveLink {
  FakeLive(OrgId org, char boot, std::string from)
      : identity{std::move(org), AgentId("agt_1"), GroupId("grp_1")},
        boot_(16, std::byte(boot)),
        address(std::move(from)) {}
  const jobs::LinkedAgent& who() const override { return identity; }
  const Bytes& boot_id() const override { return boot_; }
  std::string peer_address() const override { return address; }
  WallTime since() const override { return from_unix_ms(1'000); }
  void refuse(link::Refusal refusal) override { refusals.push_back(std::move(refusal)); }
  bool is_alive() const override { return alive; }

  jobs::LinkedAgent identity;
  Bytes boot_;
  std::string address;
  bool alive = true;
  std::vector<link::Refusal> refusals;
};

const OrgId kOrg("org_A"), kOther("org_B");
const AgentId kAgent("agt_1");

}  // namespace

TEST_CASE("an entered link is found by its own organisation only", "[gateway][tenancy]") {
  Links links;
  FakeLive live(kOrg, 1, "192.0.2.1:5000");
  REQUIRE_FALSE(links.enter(live));
  const auto state = links.link_of(kOrg, kAgent);
  REQUIRE(state);
  CHECK(state->peer == "192.0.2.1:5000");
  CHECK(state->since == from_unix_ms(1'000));
  CHECK_FALSE(links.link_of(kOther, kAgent));
  CHECK_FALSE(links.link_of(kOrg, AgentId("agt_2")));
  links.leave(live);
  CHECK_FALSE(links.link_of(kOrg, kAgent));
  CHECK(links.count() == 0);
}

TEST_CASE("who may link while an older link of the same agent is there", "[gateway]") {
  struct Case {
    std::string what;
    char boot;
    bool old_alive;
    bool enters;
  };
  const std::vector<Case> cases = {
      {"the same process again, its old link looks alive", 1, true, true},
      {"the same process again, its old link is broken", 1, false, true},
      {"another process, the old one is gone", 2, false, true},
      {"another process while the first one lives: a copy", 2, true, false},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    Links links;
    FakeLive old_link(kOrg, 1, "192.0.2.1:5000"), new_link(kOrg, one.boot, "192.0.2.2:6000");
    REQUIRE_FALSE(links.enter(old_link));
    old_link.alive = one.old_alive;
    const auto refusal = links.enter(new_link);
    REQUIRE(refusal.has_value() != one.enters);
    CHECK(links.count() == 1);
    if (one.enters) {
      REQUIRE(old_link.refusals.size() == 1);
      CHECK(old_link.refusals[0].code == "replaced");
      links.leave(old_link);  // its end comes after: the new one stays
      CHECK(links.link_of(kOrg, kAgent)->peer == "192.0.2.2:6000");
    } else {
      CHECK(refusal->code == "quarantined");
      CHECK(refusal->message.find("192.0.2.1:5000") != std::string::npos);
      CHECK(refusal->retry_after > 0s);
      CHECK(old_link.refusals.empty());
      links.leave(new_link);  // never entered: the old one stays
      CHECK(links.link_of(kOrg, kAgent)->peer == "192.0.2.1:5000");
    }
  }
}

TEST_CASE("entering twice is entering once", "[gateway]") {
  Links links;
  FakeLive live(kOrg, 1, "192.0.2.1:5000");
  REQUIRE_FALSE(links.enter(live));
  REQUIRE_FALSE(links.enter(live));
  CHECK(live.refusals.empty());
}

TEST_CASE("cutting ends the link of that organisation's agent, and no other", "[gateway][tenancy]") {
  Links links;
  FakeLive live(kOrg, 1, "192.0.2.1:5000");
  REQUIRE_FALSE(links.enter(live));
  links.cut(kOther, kAgent, "revoked", "not yours");
  links.cut(kOrg, AgentId("agt_2"), "revoked", "not there");
  CHECK(live.refusals.empty());
  links.cut(kOrg, kAgent, "revoked", "this agent was revoked");
  REQUIRE(live.refusals.size() == 1);
  CHECK(live.refusals[0].code == "revoked");
  CHECK(live.refusals[0].retry_after == 0ms);  // it does not come back by itself
}
