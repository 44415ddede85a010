#include "shared/crypto/new_id.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/response_schema.h"

// Where records of jobs are archived, and reading them back.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;
using namespace std::chrono_literals;

namespace {

const std::string kArchive = "/v1/archive", kJobs = "/v1/archive/jobs";

Ask choose(const std::string& token, std::string body) { return {"PUT", kArchive, token, std::move(body)}; }

}  // namespace

ASYNC_TEST_CASE("an owner chooses one of the relay's archives, and no other", "[api][archive]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& owner = tenant.token(Role::owner);
  const auto before = co_await world.call({.target = kArchive, .token = owner});
  CHECK(before.status == 200);
  CHECK(misfit("Archive", json_of(before)) == "");
  CHECK(json_of(before).find("place")->is_null());
  const auto foreign = co_await world.call(choose(owner, R"({"place":"https://169.254.169.254"})"));
  CHECK(foreign.status == 422);
  static_cast<void>(world.news());
  const auto set = co_await world.call(choose(owner, R"({"place":"local"})"));
  REQUIRE(set.status == 200);
  CHECK(text_of(json_of(set), "place") == "local");
  const auto rows = world.news();
  REQUIRE(rows.size() == 1);
  CHECK(*rows[0].event.find("action") == Value("archive.set"));
  const auto off = co_await world.call(choose(owner, R"({"place":null})"));
  REQUIRE(off.status == 200);
  CHECK(json_of(off).find("place")->is_null());
  for (const auto role : {Role::editor, Role::viewer}) {
    const auto refused = co_await world.call(choose(tenant.token(role), R"({"place":"local"})"));
    CHECK(refused.status == 403);
  }
}

ASYNC_TEST_CASE("a record comes back to the owner of its organisation, and to nobody else", "[api][archive][tenancy]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a"), other = co_await world.settle("b");
  const auto& owner = tenant.token(Role::owner);
  const auto job = crypto::new_id<JobId>(world.clock);
  const std::string text = "{\"job\":{}}\n";
  co_await world.archive_job(tenant.org, job, text);
  const auto list = co_await world.call({.target = kJobs, .token = owner});
  CHECK(list.status == 200);
  CHECK(misfit("ArchivedJobPage", json_of(list)) == "");
  REQUIRE(json_of(list).find("items")->as_list().size() == 1);
  const auto record = co_await world.call({.target = kJobs + "/" + job.value, .token = owner});
  REQUIRE(record.status == 200);
  CHECK(misfit("ArchivedJob", json_of(record)) == "");
  CHECK(text_of(json_of(record), "record") == text);
  const auto foreign = co_await world.call({.target = kJobs + "/" + job.value, .token = other.token(Role::owner)});
  CHECK(foreign.status == 404);
  const auto viewer = co_await world.call({.target = kJobs + "/" + job.value, .token = tenant.token(Role::viewer)});
  CHECK(viewer.status == 403);
  auto& place = *world.places.at("local");
  const auto whole = must(co_await place.get(job.value));
  Bytes changed = whole, cut(whole.begin(), whole.begin() + 3);
  changed.back() ^= std::byte{1};
  for (const auto& object : {changed, cut}) {
    must(co_await place.put(job.value, object));
    const auto damaged = co_await world.call({.target = kJobs + "/" + job.value, .token = owner});
    CHECK(damaged.status == 409);
    CHECK_THAT(damaged.body, Catch::Contains(job.value) && Catch::Contains("is damaged") && Catch::Contains("local"));
  }
  must(co_await place.remove(job.value));
  const auto lost = co_await world.call({.target = kJobs + "/" + job.value, .token = owner});
  CHECK(lost.status == 409);
  CHECK_THAT(lost.body, Catch::Contains(job.value) && Catch::Contains("is gone") && Catch::Contains("local") &&
                            !Catch::Contains("No such file"));
}
