#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/running_job.h"

using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("an organisation sees its keys' versions and hours, and makes a new version", "[api][keys]") {
  World world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle("a"), theirs = co_await world.settle("b");
  co_await run_job(world, ours);
  auto keys = json_of(co_await world.call({"GET", "/v1/keys", ours.token(Role::viewer)}));
  REQUIRE(keys.find("versions")->as_list().size() == 1);
  const auto lanes = keys.find("lanes")->as_list();
  REQUIRE(lanes.size() == 3);
  CHECK(text_of(lanes[0], "class") == "archive");
  CHECK(text_of(lanes[1], "class") == "logs");
  CHECK(lanes[1].find("keys")->as_int() == 1);
  CHECK(lanes[2].find("retention_hours")->as_int() == 45 * 24);

  const auto rotated = co_await world.call({"POST", "/v1/keys/rotate", ours.token(Role::owner), "{}"});
  CHECK(rotated.status == 200);
  CHECK(json_of(rotated).find("versions")->as_list().size() == 2);
  const auto other = json_of(co_await world.call({"GET", "/v1/keys", theirs.token(Role::viewer)}));
  CHECK(other.find("versions")->as_list().empty());
  const auto refused = co_await world.call({"POST", "/v1/keys/rotate", ours.token(Role::editor), "{}"});
  CHECK(refused.status == 403);
}
