#include "relay/jobs/leases.h"

#include <catch2/catch.hpp>

#include <random>
#include <set>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace std::chrono_literals;

namespace {

const OrgId kOrg("org_A"), kOther("org_B");
const AgentId kFirst("agt_1"), kSecond("agt_2");
const JobKey kKey{kOrg, JobId("job_1")};
constexpr LeaseTerms kTerms{.length = 60s, .failover = 30s};

HeldJob held(const JobKey& key, const AgentId& agent, std::uint64_t epoch) { return {key, agent, epoch, {}, {}}; }

}  // namespace

TEST_CASE("a lease is renewed by its holder and epoch alone", "[jobs]") {
  Leases leases(kTerms);
  const SteadyTime now{};
  leases.grant(held(kKey, kFirst, 3), now);
  CHECK(leases.renew(kFirst, kKey, 3, now) == Verdict::renewed);
  CHECK(leases.renew(kSecond, kKey, 3, now) == Verdict::fenced);
  CHECK(leases.renew(kFirst, kKey, 2, now) == Verdict::fenced);
  CHECK(leases.renew(kFirst, kKey, 4, now) == Verdict::fenced);
  CHECK(leases.renew(kFirst, {kOther, kKey.job}, 3, now) == Verdict::fenced);
}

TEST_CASE("a job is lost only after its lease and the failover time", "[jobs]") {
  Leases leases(kTerms);
  const SteadyTime now{};
  leases.grant(held(kKey, kFirst, 1), now);
  CHECK(leases.next_loss() == now + 90s);
  CHECK(leases.lost(now + 90s - 1ns).empty());
  CHECK(leases.lost(now + 90s).size() == 1);
  REQUIRE(leases.renew(kFirst, kKey, 1, now + 89s) == Verdict::renewed);
  CHECK(leases.lost(now + 90s).empty());
  CHECK(leases.lost(now + 179s).size() == 1);
}

TEST_CASE("a lease that was granted is never shortened", "[jobs]") {
  Leases leases(kTerms);
  const SteadyTime now{};
  leases.restore(held(kKey, kFirst, 1), 10min, now);
  CHECK(leases.find(kKey)->ends == now + 10min);
  REQUIRE(leases.renew(kFirst, kKey, 1, now + 1s) == Verdict::renewed);
  CHECK(leases.find(kKey)->ends == now + 10min);
  REQUIRE(leases.renew(kFirst, kKey, 1, now + 9min + 1s) == Verdict::renewed);
  CHECK(leases.find(kKey)->ends == now + 10min + 1s);
  leases.restore(held(kKey, kFirst, 2), 1s, now);
  CHECK(leases.find(kKey)->ends == now + kTerms.length);
}

TEST_CASE("leases of one organisation are prolonged, none is shortened and none comes back", "[jobs]") {
  Leases leases(kTerms);
  const SteadyTime now{};
  const JobKey ended{kOrg, JobId("job_0")}, longer{kOrg, JobId("job_2")}, other{kOther, JobId("job_3")};
  leases.grant(held(ended, kFirst, 1), now);
  leases.end(ended, 1);
  leases.grant(held(kKey, kFirst, 3), now);
  leases.restore(held(longer, kSecond, 1), 10min, now);
  leases.grant(held(other, kFirst, 1), now);
  leases.prolong(kOrg, now + 5min);  // after its time was over: nobody has taken it back
  CHECK(leases.find(kKey)->ends == now + 5min + kTerms.length);
  CHECK(leases.find(kKey)->epoch == 3);
  CHECK(leases.find(kKey)->agent == kFirst);
  CHECK(leases.find(longer)->ends == now + 10min);
  CHECK(leases.find(other)->ends == now + kTerms.length);
  CHECK_FALSE(leases.find(ended));
  CHECK(leases.lost(now + 5min).size() == 1);  // the other organisation's
  leases.prolong(OrgId("org_"), now + 1h);     // of nobody, and the first there is
  CHECK(leases.find(kKey)->ends == now + 5min + kTerms.length);
}

TEST_CASE("a late word about an older epoch changes nothing", "[jobs]") {
  Leases leases(kTerms);
  leases.grant(held(kKey, kSecond, 5), {});
  leases.grant(held(kKey, kFirst, 4), {});
  CHECK(leases.find(kKey)->agent == kSecond);
  leases.end(kKey, 4);
  CHECK(leases.size() == 1);
  leases.end(kKey, 5);
  CHECK(leases.size() == 0);
  CHECK_FALSE(leases.next_loss());
}

// Seeded histories of grants, renewals, losses and late messages: at no time do two agents believe, rightly, that they
// hold a job.
TEST_CASE("no two agents hold a job at the same time", "[jobs][sim]") {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Leases leases(kTerms);
    SteadyTime now{};
    std::uint64_t epoch = 0;
    std::map<std::uint64_t, SteadyTime> believed;  // by epoch: until when that agent acts
    for (int step = 0; step < 200; ++step) {
      now += std::chrono::seconds(random() % 40);
      const auto current = leases.find(kKey);
      if (!current || !leases.lost(now).empty()) {
        if (current) leases.end(kKey, current->epoch);
        const auto& next = epoch % 2 == 0 ? kFirst : kSecond;
        leases.grant(held(kKey, next, ++epoch), now);
        believed[epoch] = now + kTerms.length;
      } else if (const auto asked = epoch - random() % 2; asked > 0) {
        const auto& agent = asked % 2 == 1 ? kFirst : kSecond;
        if (leases.renew(agent, kKey, asked, now) == Verdict::renewed) believed[asked] = now + kTerms.length;
      }
      const auto active = std::ranges::count_if(believed, [&](const auto& entry) { return entry.second > now; });
      REQUIRE(active <= 1);
    }
    REQUIRE(epoch > 1);
  }
}
