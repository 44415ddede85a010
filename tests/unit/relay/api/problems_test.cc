#include "relay/api/problems.h"
#include "tests/support/async_test.h"
#include "tests/support/failing_vfs.h"
#include "tests/unit/relay/api/answers.h"

// What the relay says when it cannot do what it should.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("a full queue and a full disk say what they are", "[api][problems]") {
  const auto queue = api::to_problem({Errc::exhausted, "100000 jobs wait for this agent group already"});
  CHECK(queue.status == 429);
  CHECK(queue.detail.find("100000 jobs wait") != std::string::npos);
  const auto disk = api::to_problem({Errc::unavailable, "the relay's database cannot grow: free disk space"});
  CHECK(disk.status == 503);
  CHECK(disk.detail.find("free disk space") != std::string::npos);
  co_return;
}

ASYNC_TEST_CASE("a disk that takes nothing: every change says so, and so does /readyz", "[api][problems]") {
  FailingVfs vfs;
  World world(co_await asio::this_coro::executor, {}, vfs.name());
  const auto tenant = co_await world.settle("a");
  const auto targets = co_await world.make_targets(tenant);
  const auto owner = tenant.token(Role::owner);
  co_await world.call({"GET", "/v1/whoami", owner});  // the token's last use is noted now
  const Ask changes[] = {{"POST", "/v1/tokens", owner, R"({"name":"t"})"},
                         {"POST", "/v1/jobs/" + targets.job.value + "/cancel", owner},
                         {"POST", "/v1/agents/" + targets.agent.value + "/revoke", owner},
                         {"POST", "/v1/groups", owner, R"({"name":"g1"})", {"Idempotency-Key: k-1"}}};
  vfs.fail_at(1, FailingVfs::Kind::crash);
  for (const auto& change : changes) {
    const auto refused = co_await world.call(change);
    INFO(change.target << ": " << refused.body);
    CHECK(refused.status == 503);
    CHECK(refused.body.find("disk") != std::string::npos);
    CHECK(header_of(refused, "Retry-After") == "10");
  }
  for (int i = 0; i < 2; ++i) {
    const auto unready = co_await world.call({.target = "/readyz"});
    INFO(unready.body);
    CHECK(unready.status == 503);
    CHECK(unready.body.find("the store cannot write") != std::string::npos);
  }
  vfs.heal();
  const auto ready = co_await world.call({.target = "/readyz"});
  CHECK(ready.status == 200);
  const auto made = co_await world.call(changes[0]);
  CHECK(made.status == 201);
}
