#include "agent/connectors/session_pool.h"
#include "tests/support/connector_site.h"

using namespace sallyport;
using namespace sallyport::connectors;
using namespace sallyport::test;

namespace {

int open_sessions = 0;

struct Session {
  Session() { ++open_sessions; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { --open_sessions; }
  bool is_usable() const { return true; }
};

}  // namespace

TEST_CASE("sessions that may not be used again are closed when another one comes back", "[connectors][pool]") {
  ConnectorSite agent("connections: {}", "actions: []");
  std::uint64_t credentials = 1;
  const auto open = [](const CallLimits&) -> StepResult<std::unique_ptr<Session>> {
    return std::make_unique<Session>();
  };
  SessionPool<Session> pool("a", {open, [&] { return credentials; }}, 2, agent.site().log);
  const CallLimits limits{agent.deadline(), {}};
  {
    const auto longer = pool.acquire(limits);
    REQUIRE(longer);
    REQUIRE(pool.acquire(limits));
    CHECK(open_sessions == 2);  // one of them waits
    credentials = 2;
  }
  CHECK(open_sessions == 0);
  REQUIRE(pool.acquire(limits));
  CHECK(open_sessions == 1);
  CHECK(pool.acquire(limits)->is_reused());  // positive control
}
