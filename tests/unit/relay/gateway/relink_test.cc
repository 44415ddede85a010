#include "relay/gateway/links.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

const OrgId kOrg("org_1"), kOther("org_2");
const AgentId kAgent("agt_1");

class OneLink final : public gateway::LiveLink {
 public:
  const jobs::LinkedAgent& who() const override { return who_; }
  const Bytes& boot_id() const override { return boot_id_; }
  std::uint32_t number() const override { return 0; }
  jobs::LinkFacts facts() const override { return {.peer = "192.0.2.1:5000", .since = {}, .round_trip = {}}; }
  void refuse(link::Refusal refusal) override { refusals.push_back(std::move(refusal)); }
  bool is_alive() const override { return true; }
  bool carries_tunnels() const override { return false; }
  Result<link::Channel> open_channel(std::string_view) override { return fail(Errc::unavailable, "carries none"); }
  std::vector<link::Refusal> refusals;

 private:
  jobs::LinkedAgent who_{kOrg, kAgent, GroupId("grp_1")};
  Bytes boot_id_ = Bytes(16);
};

}  // namespace

TEST_CASE("an agent that shall link again is told to come back at once", "[gateway][tenancy]") {
  gateway::Links links;
  OneLink live;
  REQUIRE_FALSE(links.enter(live));
  links.relink(kOther, kAgent, "not yours");
  links.relink(kOrg, AgentId("agt_2"), "not there");
  CHECK(live.refusals.empty());
  links.relink(kOrg, kAgent, "this agent was moved to another group");
  REQUIRE(live.refusals.size() == 1);
  CHECK(live.refusals[0].code == "moved");
  CHECK(live.refusals[0].retry_after > 0ms);  // zero would keep it away
  CHECK(live.refusals[0].retry_after <= 1s);
}
