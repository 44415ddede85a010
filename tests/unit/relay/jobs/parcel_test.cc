#include "relay/jobs/parcel.h"

#include "shared/base/json.h"
#include "tests/unit/relay/jobs/world.h"

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

awaitable<store::ClaimedJob> claimed(JobsWorld& world, Tenant tenant) {
  const auto job = co_await world.queue(tenant, {}, R"({"key":"some text"})");
  co_return must(
      co_await world.stores.jobs.claim(tenant.org, job, {tenant.agent, 0, world.clock.wall(), world.clock.wall()}));
}

}  // namespace

TEST_CASE("what was kept whole of a step's output", "[jobs]") {
  struct Case {
    std::string json;
    bool whole;
  };
  const std::vector<Case> cases = {
      {"null", true},
      {"\"text\"", true},
      {"{\"a\":[1,2.5,true,\"x\"]}", true},
      {"\"***\"", false},
      {"{\"a\":\"***\"}", false},
      {"[1,[2,[\"***\"]]]", false},
      {R"({"$handle":"spool","id":"1"})", false},
      {R"({"file":{"$handle":"file","path":"in/a.csv"}})", true},
      {R"({"rows":{"$handle":"csv","source":{"$handle":"spool","id":"1"}}})", false},
      {R"({"rows":{"$handle":"csv","source":{"$handle":"file","path":"a"}}})", true},
  };
  for (const auto& one : cases) {
    INFO(one.json);
    CHECK(is_kept_whole(must(parse_stored_json(one.json))) == one.whole);
  }
}

JOBS_TEST_CASE("a payload cut at any byte does not become a parcel", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto whole = co_await claimed(world, ours);
  const auto made = must(co_await world.parcels.make(whole, 60s));
  CHECK(made.trigger_json == R"({"inputs":{"key":"some text"},"kind":"manual"})");
  for (std::size_t cut = 0; cut < whole.sealed_trigger.size(); ++cut) {
    INFO("cut after byte " << cut);
    auto damaged = whole;
    damaged.sealed_trigger.resize(cut);
    const auto outcome = co_await world.parcels.make(damaged, 60s);
    REQUIRE_FALSE(outcome.has_value());
    CHECK(outcome.error().code == Errc::internal);  // ours, not the agent's: it is not "invalid"
    CHECK(outcome.error().message.find("some text") == std::string::npos);
  }
}

JOBS_TEST_CASE("payloads of another job or organisation do not open", "[jobs][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  auto mine = co_await claimed(world, ours);
  const auto twin = co_await claimed(world, ours);
  const auto theirs = co_await claimed(world, other);
  for (const auto& stolen : {twin.sealed_trigger, theirs.sealed_trigger}) {
    mine.sealed_trigger = stolen;
    const auto outcome = co_await world.parcels.make(mine, 60s);
    CHECK_FALSE(outcome.has_value());
  }
}

JOBS_TEST_CASE("recipes are read once, and a version never changes", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto first = must(co_await world.parcels.recipe_json(ours.org, ours.recipe, 1));
  co_await world.add_recipe(ours, manual_recipe("orders", "vars: {x: 1}\n"));
  const auto again = must(co_await world.parcels.recipe_json(ours.org, ours.recipe, 1));
  const auto second = must(co_await world.parcels.recipe_json(ours.org, ours.recipe, 2));
  CHECK(first == again);
  CHECK(first != second);
  const auto foreign = co_await world.parcels.recipe_json(OrgId("org_other"), ours.recipe, 1);
  CHECK(foreign.error().code == Errc::not_found);
}

JOBS_TEST_CASE("recipes at hand are bounded by their bytes, and given whole all the same", "[jobs][limits]") {
  const auto ours = co_await world.settle("ours");
  constexpr std::uint32_t kVersions = 40;
  for (std::uint32_t version = 2; version <= kVersions; ++version) {
    const std::string big(480'000, static_cast<char>('a' + version % 26));
    co_await world.add_recipe(ours, manual_recipe("orders", "vars: {x: \"" + std::to_string(version) + big + "\"}\n"));
  }
  std::size_t most = 0;
  for (std::uint32_t version = 1; version <= kVersions; ++version) {
    const auto json = must(co_await world.parcels.recipe_json(ours.org, ours.recipe, version));
    CHECK(json.size() > (version == 1 ? 0 : 480'000u));
    most = std::max(most, world.parcels.kept_bytes());
  }
  CHECK(most > kMaxRecipeCache / 2);
  CHECK(most <= kMaxRecipeCache);
}
