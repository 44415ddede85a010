#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("an enrolment token for an agent names no group, and only an agent that may come", "[api][enrolment]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto foreign = co_await world.settle("b");
  const auto editor = tenant.token(Role::editor);
  const auto agent = (co_await world.make_targets(tenant)).agent.value;
  const auto others = (co_await world.make_targets(foreign)).agent.value;
  const auto make = [&](std::string body) {
    return world.call({"POST", "/v1/enrolment-tokens", editor, std::move(body)});
  };
  const auto made = co_await make(fmt::format(R"({{"agent":"{}"}})", agent));
  REQUIRE(made.status == 201);
  const auto token = json_of(made);
  CHECK(text_of(token, "agent") == agent);
  CHECK(text_of(token, "enrolment_string").starts_with("spe1."));
  struct Case {
    std::string body;
    int status;
  };
  const Case cases[] = {{fmt::format(R"({{"agent":"{}","group_name":"dc1"}})", agent), 422},
                        {fmt::format(R"({{"agent":"{}","max_uses":2}})", agent), 422},
                        {R"({"agent":"agt_1"})", 422},
                        {fmt::format(R"({{"agent":"{}"}})", others), 404}};
  for (const auto& one : cases) {
    INFO(one.body);
    const auto refused = co_await make(one.body);
    CHECK(refused.status == one.status);
  }
  const auto events = co_await world.call({"GET", "/v1/audit-events", tenant.token(Role::owner)});
  CHECK(events.body.find(agent) != std::string::npos);
  co_await world.call({"POST", "/v1/agents/" + agent + "/revoke", editor, "{}"});
  const auto revoked = co_await make(fmt::format(R"({{"agent":"{}"}})", agent));
  CHECK(revoked.status == 409);
}
