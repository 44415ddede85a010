#include "relay/jobs/roster.h"

#include <catch2/catch.hpp>

#include <deque>

using namespace sallyport;
using jobs::Roster;

namespace {

class CountingLink final : public jobs::AgentLink {
 public:
  CountingLink(std::string agent, std::string group)
      : who_{OrgId("org_1"), AgentId(std::move(agent)), GroupId(std::move(group))} {}
  const jobs::LinkedAgent& who() const override { return who_; }
  std::size_t room_for_jobs() const override { return ++asked, room; }
  Result<void> post(jobs::ToAgent) override { return {}; }

  std::size_t room = 10;
  mutable std::size_t asked = 0;

 private:
  jobs::LinkedAgent who_;
};

const SteadyTime kNow = SteadyTime{} + std::chrono::hours(1);

struct Agents {
  jobs::AgentLink& link(const std::string& agent, const std::string& group, std::uint32_t slots) {
    auto& link = links.emplace_back(agent, group);
    roster.link_up(link, kNow);
    roster.set_slots(*roster.find(link), slots);
    return link;
  }
  std::string best(const std::string& group) {
    const auto* found = roster.least_loaded(GroupId(group), kNow);
    return found == nullptr ? "" : found->link->who().agent.value;
  }

  std::deque<CountingLink> links;
  Roster roster;
};

}  // namespace

TEST_CASE("roster: a job goes to who has the most free slots of its group", "[jobs]") {
  Agents agents;
  agents.link("a", "dc1", 2);
  agents.link("b", "dc1", 5);
  agents.link("c", "dc2", 9);
  CHECK(agents.best("dc1") == "b");
  CHECK(agents.best("dc2") == "c");
  CHECK(agents.best("dc3").empty());
  agents.roster.set_slots(*agents.roster.find(AgentId{"b"}), 1);
  CHECK(agents.best("dc1") == "a");
}

TEST_CASE("roster: whoever may take nothing now is passed over", "[jobs]") {
  Agents agents;
  agents.link("a", "dc1", 1);
  agents.link("b", "dc1", 9);
  auto& most = *agents.roster.find(AgentId{"b"});
  SECTION("it has no slot") { agents.roster.set_slots(most, 0); }
  SECTION("it said that it is busy") { most.resumes = kNow + std::chrono::seconds(1); }
  SECTION("its channel is full") { agents.links[1].room = 0; }
  SECTION("enough is being claimed for it") { most.claiming = 10; }
  CHECK(agents.best("dc1") == "a");
  agents.roster.set_slots(*agents.roster.find(AgentId{"a"}), 0);
  CHECK(agents.best("dc1").empty());
  CHECK(agents.roster.groups_with_credit(kNow).empty());
}

TEST_CASE("roster: an agent's next link takes the place of the one before, whose end is then nobody's", "[jobs]") {
  Agents agents;
  auto& before = agents.link("a", "dc1", 3);
  const auto number = agents.roster.find(AgentId{"a"})->number;
  auto& next = agents.link("a", "dc2", 4);
  CHECK(agents.roster.find(before) == nullptr);
  CHECK(agents.roster.find(AgentId{"a"}, number) == nullptr);
  CHECK(agents.best("dc1").empty());
  agents.roster.link_down(before);
  CHECK(agents.best("dc2") == "a");
  CHECK(agents.roster.groups_with_credit(kNow) == std::vector{GroupId("dc2")});
  agents.roster.link_down(next);
  CHECK(agents.roster.find(AgentId{"a"}) == nullptr);
  CHECK(agents.roster.groups_with_credit(kNow).empty());
}

TEST_CASE("roster: thousands of agents are not asked one by one", "[jobs]") {
  Agents agents;
  for (int i = 0; i < 5'000; ++i) agents.link("agent" + std::to_string(i), "dc" + std::to_string(i % 5), 1 + i % 7);
  CHECK(agents.roster.groups_with_credit(kNow).size() == 5);
  CHECK_FALSE(agents.best("dc3").empty());
  std::size_t asked = 0;
  for (const auto& link : agents.links) asked += link.asked;
  CHECK(asked <= 6);
}
