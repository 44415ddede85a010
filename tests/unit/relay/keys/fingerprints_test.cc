#include "relay/keys/tenant_fingerprints.h"
#include "tests/unit/relay/keys/world.h"

#include <set>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;

ASYNC_TEST_CASE("a fingerprint is the same for the same text, purpose and organisation, and for nothing else",
                "[keys][fingerprints]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  TenantFingerprints prints(world.ring.hierarchy);
  struct Case {
    std::string org, purpose, text;
  };
  const std::vector<Case> cases = {
      {"org_a", "event key", "order-17"}, {"org_b", "event key", "order-17"}, {"org_a", "concurrency key", "order-17"},
      {"org_a", "event key", "order-18"}, {"org_a", "event key", ""},         {"org_a", "event keyo", "rder-17"},
      {"org_a", "", "event keyorder-17"}, {"org_ae", "vent key", "order-17"},
  };
  std::set<Fingerprint> seen;
  for (const auto& one : cases) {
    INFO(one.org << ", " << one.purpose << ", " << one.text);
    const auto made = co_await prints.of(OrgId(one.org), one.purpose, one.text);
    REQUIRE(made.has_value());
    CHECK(seen.insert(*made).second);
  }
}

ASYNC_TEST_CASE("fingerprints stay what they are when keys are rotated and the relay starts again",
                "[keys][fingerprints]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const OrgId org("org_a");
  TenantFingerprints prints(world.ring.hierarchy);
  const auto before = must(co_await prints.of(org, "event key", "order-17"));
  must(co_await world.ring.hierarchy.rotate_tenant(org));
  must(co_await world.ring.hierarchy.rotate_global());
  must(co_await world.ring.hierarchy.rewrap_tenants(10));
  const auto after = must(co_await prints.of(org, "event key", "order-17"));
  CHECK(before == after);
  KeyRing again(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
                &world.provider);
  TenantFingerprints next(again.hierarchy);
  const auto later = must(co_await next.of(org, "event key", "order-17"));
  CHECK(before == later);
}
