#include "relay/keys/local_fingerprints.h"
#include "shared/base/text.h"
#include "tests/support/async_test.h"

#include <set>

using namespace sallyport;
using namespace sallyport::keys;

namespace {

MasterKey fixed_key(char byte) { return {KeyId{}, Secret::take(std::string(32, byte))}; }

}  // namespace

ASYNC_TEST_CASE("a fingerprint is the same for the same text, purpose, organisation and key, and for nothing else",
                "[keys][fingerprints]") {
  LocalFingerprints ours(fixed_key('k')), again(fixed_key('k')), other(fixed_key('o'));
  struct Case {
    LocalFingerprints* with;
    std::string org, purpose, text;
  };
  const std::vector<Case> cases = {
      {&ours, "org_a", "event key", "order-17"}, {&other, "org_a", "event key", "order-17"},
      {&ours, "org_b", "event key", "order-17"}, {&ours, "org_a", "concurrency key", "order-17"},
      {&ours, "org_a", "event key", "order-18"}, {&ours, "org_a", "event key", ""},
      {&ours, "org_a", "event keyo", "rder-17"}, {&ours, "org_a", "", "event keyorder-17"},
      {&ours, "org_ae", "vent key", "order-17"},
  };
  std::set<Fingerprint> seen;
  for (const auto& one : cases) {
    INFO(one.org << ", " << one.purpose << ", " << one.text);
    const auto made = co_await one.with->of(OrgId(one.org), one.purpose, one.text);
    REQUIRE(made.has_value());
    CHECK(seen.insert(*made).second);
  }
  const auto repeated = co_await again.of(OrgId("org_a"), "event key", "order-17");
  CHECK(seen.contains(*repeated));
}

// Jobs that were started before are known by it: what changes it makes every event new.
ASYNC_TEST_CASE("fingerprints stay what they are", "[keys][fingerprints][golden]") {
  LocalFingerprints fingerprints(fixed_key('k'));
  const auto made = co_await fingerprints.of(OrgId("org_a"), "event key", "order-17");
  CHECK(hex(*made) == "b9ef667dcd61b4faa1996f92828410775c57a519605a5036f0267241d0527550");
}
