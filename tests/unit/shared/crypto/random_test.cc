#include "shared/crypto/new_id.h"

#include <catch2/catch.hpp>

#include <set>

using namespace sallyport;
using namespace sallyport::crypto;

TEST_CASE("random bytes have the asked length and do not repeat", "[crypto]") {
  CHECK(random_bytes(0).empty());
  std::set<Bytes> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random_bytes(16));
  CHECK(seen.size() == 200);
  CHECK(seen.begin()->size() == 16);
}

TEST_CASE("a new id has its kind's prefix and is well formed", "[crypto]") {
  const SystemClock clock;
  CHECK(new_id<OrgId>(clock).value.starts_with("org_"));
  CHECK(is_id<OrgId>(new_id<OrgId>(clock).value));
  CHECK(is_id<UserId>(new_id<UserId>(clock).value));
  CHECK(is_id<ApiTokenId>(new_id<ApiTokenId>(clock).value));
  CHECK(is_id<AgentId>(new_id<AgentId>(clock).value));
  CHECK(is_id<GroupId>(new_id<GroupId>(clock).value));
  CHECK(is_id<EnrolmentId>(new_id<EnrolmentId>(clock).value));
  CHECK(is_id<RecipeId>(new_id<RecipeId>(clock).value));
  CHECK(is_id<JobId>(new_id<JobId>(clock).value));
  CHECK(is_id<EventId>(new_id<EventId>(clock).value));
  CHECK_FALSE(is_id<OrgId>(new_id<AgentId>(clock).value));
}

TEST_CASE("ids made within one millisecond differ", "[crypto]") {
  const SystemClock clock;
  std::set<JobId> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(new_id<JobId>(clock));
  CHECK(seen.size() == 1000);
}
