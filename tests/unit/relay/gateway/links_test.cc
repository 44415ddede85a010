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
  std::uint32_t number() const override { return place; }
  jobs::LinkFacts facts() const override {
    return {.peer = address,
            .since = since,
            .round_trip = {},
            .jobs = jobs,
            .tunnels = tunnels,
            .draining = false,
            .bulk = bulk};
  }
  void refuse(link::Refusal refusal) override { refusals.push_back(std::move(refusal)); }
  bool is_alive() const override { return alive; }
  bool carries_tunnels() const override { return carries; }
  Result<link::Channel> open_channel(std::string_view purpose) override {
    opened.emplace_back(purpose);
    return fail(Errc::exhausted, "no room");
  }

  jobs::LinkedAgent identity;
  Bytes boot_;
  std::string address;
  bool alive = true;
  bool carries = true;
  std::uint32_t place = 0;
  WallTime since = from_unix_ms(1'000);
  bool jobs = false;
  std::size_t tunnels = 0;
  bool bulk = false;
  std::vector<std::string> opened;
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

TEST_CASE("tunnels go to the linked agents of a group that carry them, of one organisation only",
          "[gateway][tenancy]") {
  const GroupId group("grp_1"), empty("grp_2");
  Links links;
  FakeLive one(kOrg, 1, "192.0.2.1:5000"), two(kOrg, 2, "192.0.2.2:5000"), old(kOrg, 3, "192.0.2.3:5000"),
      elsewhere(kOrg, 4, "192.0.2.4:5000"), foreign(kOther, 5, "192.0.2.5:5000");
  two.identity.agent = AgentId("agt_2");
  old.identity.agent = AgentId("agt_3");
  old.carries = false;
  elsewhere.identity.agent = AgentId("agt_4");
  elsewhere.identity.group = empty;
  foreign.identity.agent = AgentId("agt_5");
  for (auto* live : {&one, &two, &old, &elsewhere, &foreign}) REQUIRE_FALSE(links.enter(*live));
  CHECK(links.linked(kOrg, group) == std::vector{kAgent, AgentId("agt_2")});
  CHECK(links.linked(kOther, group) == std::vector{AgentId("agt_5")});
  CHECK(links.linked(kOrg, empty) == std::vector{AgentId("agt_4")});

  CHECK(links.open(kOrg, kAgent, "tunnel/1 db:5432").error().message == "no room");
  CHECK(one.opened == std::vector<std::string>{"tunnel/1 db:5432"});
  for (const auto& [org, agent] : {std::pair(kOther, kAgent), std::pair(kOrg, AgentId("agt_3")),
                                   std::pair(kOrg, AgentId("agt_5")), std::pair(kOrg, AgentId("agt_9"))}) {
    const auto opened = links.open(org, agent, "tunnel/1 db:5432");
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::unavailable);
  }
  CHECK(old.opened.empty());
  CHECK(foreign.opened.empty());

  links.leave(one);
  CHECK(links.linked(kOrg, group) == std::vector{AgentId("agt_2")});
  links.leave(two);
  links.leave(old);
  CHECK(links.linked(kOrg, group).empty());
}

TEST_CASE("a link that took another's place is the one that tunnels go to", "[gateway]") {
  const GroupId group("grp_1"), moved("grp_2");
  Links links;
  FakeLive before(kOrg, 1, "192.0.2.1:5000"), after(kOrg, 1, "192.0.2.1:5001");
  after.identity.group = moved;
  REQUIRE_FALSE(links.enter(before));
  REQUIRE_FALSE(links.enter(after));
  CHECK(links.linked(kOrg, group).empty());
  CHECK(links.linked(kOrg, moved) == std::vector{kAgent});
  links.leave(before);
  CHECK(links.linked(kOrg, moved) == std::vector{kAgent});
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

TEST_CASE("the links of one process stand beside each other, each in its own place", "[gateway][links]") {
  Links links;
  FakeLive first(kOrg, 1, "192.0.2.1:1"), second(kOrg, 1, "192.0.2.1:2"), again(kOrg, 1, "192.0.2.1:3");
  second.place = again.place = 1;
  second.since = from_unix_ms(500);
  REQUIRE_FALSE(links.enter(first));
  CHECK(links.is_only(first));
  REQUIRE_FALSE(links.enter(second));
  CHECK_FALSE(links.is_only(first));
  auto state = links.link_of(kOrg, kAgent);
  REQUIRE(state);
  CHECK(state->each.size() == 2);
  CHECK(state->since == from_unix_ms(500));
  CHECK(state->peer == "192.0.2.1:2");
  REQUIRE_FALSE(links.enter(again));
  CHECK(first.refusals.empty());
  REQUIRE(second.refusals.size() == 1);
  CHECK(second.refusals[0].code == "replaced");
  CHECK(links.agents() == 1);
  CHECK(links.count() == 2);

  FakeLive copy(kOrg, 2, "198.51.100.9:1");
  first.alive = false;  // one that lives is enough
  REQUIRE(links.enter(copy));
  again.alive = false;
  REQUIRE_FALSE(links.enter(copy));
  CHECK(first.refusals.size() + again.refusals.size() == 2);
  CHECK(links.count() == 1);
  for (auto* gone : {&first, &second, &again}) links.leave(*gone);
  CHECK(links.count() == 1);
  links.leave(copy);
  CHECK(links.agents() == 0);
  CHECK(links.linked(kOrg, GroupId("grp_1")).empty());
}

TEST_CASE("a connection of a tunnel goes where the jobs are not, and where there is most room", "[gateway][links]") {
  struct Case {
    std::string what;
    std::size_t on_jobs, on_second, on_third;
    bool third_carries;
    char taken;
    std::string bulk = "";
  };
  const std::vector<Case> cases = {{"all idle", 0, 0, 0, true, '2'},
                                   {"the fewest channels", 0, 5, 4, true, '3'},
                                   {"one drains", 0, 5, 0, false, '2'},
                                   {"one is full", 0, 1'000, 3, true, '3'},
                                   {"only the jobs' link has room", 7, 1'000, 1'000, true, '1'},
                                   {"none has room: the agent says so", 1'010, 1'000, 1'001, true, '2'},
                                   {"away from bulk", 0, 1, 3, true, '3', "2"},
                                   {"to the jobs when bulk is on all others", 0, 1, 3, true, '1', "23"},
                                   {"bulk everywhere", 0, 3, 1, true, '3', "123"},
                                   {"away from bulk, but only where there is room", 0, 1, 1'000, true, '2', "12"}};
  for (const auto& one : cases) {
    INFO(one.what);
    Links links;
    FakeLive jobs(kOrg, 1, "1"), second(kOrg, 1, "2"), third(kOrg, 1, "3");
    second.place = 1, third.place = 2;
    jobs.jobs = true;
    jobs.tunnels = one.on_jobs, second.tunnels = one.on_second, third.tunnels = one.on_third;
    third.carries = one.third_carries;
    for (auto* live : {&jobs, &second, &third}) live->bulk = one.bulk.contains(live->address);
    for (auto* live : {&jobs, &second, &third}) REQUIRE_FALSE(links.enter(*live));
    (void)links.open(kOrg, kAgent, "tunnel/1 db:5432");
    std::string taken;
    for (const auto* live : {&jobs, &second, &third}) taken += live->opened.empty() ? "" : live->address;
    CHECK(taken == std::string(1, one.taken));
  }
}

TEST_CASE("an agent has the places that its links have left which carry tunnels", "[gateway][links]") {
  Links links;
  FakeLive jobs(kOrg, 1, "1"), second(kOrg, 1, "2"), drains(kOrg, 1, "3");
  second.place = 1, drains.place = 2;
  drains.carries = false;
  for (auto* live : {&jobs, &second, &drains}) REQUIRE_FALSE(links.enter(*live));
  CHECK(links.places_left(kOrg, kAgent) == 2'000);
  jobs.tunnels = 1'001, second.tunnels = 990;
  CHECK(links.places_left(kOrg, kAgent) == 10);
  CHECK(links.places_left(kOther, kAgent) == 0);
  CHECK(links.places_left(kOrg, AgentId("agt_2")) == 0);
}

TEST_CASE("a revoked agent is cut from all its links", "[gateway][links]") {
  Links links;
  FakeLive first(kOrg, 1, "1"), second(kOrg, 1, "2");
  second.place = 1;
  for (auto* live : {&first, &second}) REQUIRE_FALSE(links.enter(*live));
  links.cut(kOther, kAgent, "revoked", "not theirs");
  CHECK(first.refusals.empty());
  links.cut(kOrg, kAgent, "revoked", "not any more");
  for (const auto* live : {&first, &second}) CHECK(live->refusals.size() == 1);
}
