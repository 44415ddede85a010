#include "relay/jobs/outlines.h"

#include "tests/unit/relay/jobs/world.h"

#include <fmt/format.h>

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;

namespace {

bool says(const Error& error, std::string_view word) { return error.message.find(word) != std::string::npos; }

// A version as an earlier program may have stored it: nothing is checked.
awaitable<RecipeId> store_unchecked(JobsWorld& world, Tenant tenant, std::string canonical) {
  const auto applied = must(co_await world.stores.recipes.apply(tenant.org, {.id_if_new = RecipeId("rcp_unchecked"),
                                                                             .name = "unchecked",
                                                                             .run_on = "dc1",
                                                                             .trigger = "manual",
                                                                             .source_yaml = "-",
                                                                             .canonical_json = std::move(canonical),
                                                                             .sha256 = Bytes(32),
                                                                             .created_by = tenant.owner,
                                                                             .created_at = world.clock.wall()}));
  must(co_await world.stores.recipes.activate(tenant.org, applied.recipe.id, {std::nullopt, 1}));
  co_return applied.recipe.id;
}

}  // namespace

// A step that does not compile any more shows whether somebody compiles it.
JOBS_TEST_CASE("starting a job compiles no step of its recipe", "[jobs][recipes]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await store_unchecked(
      world, ours,
      R"({"concurrency":{"key":"k-${{ inputs.n }}","limit":2},"inputs":{"n":{"type":"integer"}},"priority":4,)"
      R"("recipe":"unchecked","run_on":"dc1","steps":[{"id":"a","uses":"log.write@1","with":{"text":"${{ ((( }}"}}],)"
      R"("trigger":{"uses":"manual@1"}})");
  const auto id = co_await world.queue(ours, recipe, R"({"n":7})");
  const auto job = co_await world.job(ours, id);
  CHECK(job.priority == 4);
  CHECK(job.concurrency_limit == 2);
  CHECK(job.concurrency_key == "k-7");
}

JOBS_TEST_CASE("a version is read once, and another organisation's is not there", "[jobs][recipes][tenancy]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto first = must(co_await world.outlines.find(ours.org, ours.recipe, 1));
  const auto again = must(co_await world.outlines.find(ours.org, ours.recipe, 1));
  CHECK(first == again);
  CHECK(first->name == "orders");
  CHECK(first->steps.size() == 3);
  const auto kept = world.outlines.kept_bytes();
  CHECK(kept > 0);
  const auto foreign = co_await world.outlines.find(other.org, ours.recipe, 1);
  const auto absent = co_await world.outlines.find(ours.org, ours.recipe, 9);
  REQUIRE_FALSE(foreign.has_value());
  REQUIRE_FALSE(absent.has_value());
  CHECK(foreign.error().code == Errc::not_found);
  CHECK(absent.error() == foreign.error());
  CHECK(world.outlines.kept_bytes() == kept);
}

JOBS_TEST_CASE("a stored version that cannot be read any more is refused, and not kept", "[jobs][recipes]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await store_unchecked(world, ours, R"({"recipe":"unchecked","steps":[]})");
  const auto found = co_await world.outlines.find(ours.org, recipe, 1);
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code == Errc::invalid);
  CHECK(says(found.error(), "run_on"));
  CHECK(world.outlines.kept_bytes() == 0);
}

JOBS_TEST_CASE("the outlines at hand are bounded by their bytes", "[jobs][recipes][limits]") {
  const auto ours = co_await world.settle("ours");
  constexpr std::uint32_t kVersions = 12;
  const auto text_of = [](std::uint32_t version) { return std::string(60'000, static_cast<char>('a' + version % 26)); };
  for (std::uint32_t version = 2; version <= kVersions; ++version) {
    co_await world.add_recipe(ours, manual_recipe("orders", fmt::format("vars: {{x: \"{}\"}}\n", text_of(version))));
  }
  std::size_t most = 0;
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t version = 2; version <= kVersions; ++version) {
      const auto outline = must(co_await world.outlines.find(ours.org, ours.recipe, version));
      CHECK(outline->vars.at(Value("x")).as_string() == text_of(version));
      most = std::max(most, world.outlines.kept_bytes());
    }
  }
  CHECK(most > kMaxOutlines / 2);
  CHECK(most <= kMaxOutlines);
}

JOBS_TEST_CASE("an outline that is too large to be kept is read each time", "[jobs][recipes][limits]") {
  const auto ours = co_await world.settle("ours");
  co_await world.add_recipe(ours, manual_recipe("orders", "vars: {x: \"" + std::string(480'000, 'x') + "\"}\n"));
  const auto first = must(co_await world.outlines.find(ours.org, ours.recipe, 2));
  const auto again = must(co_await world.outlines.find(ours.org, ours.recipe, 2));
  CHECK(first != again);
  CHECK(first->vars == again->vars);
  CHECK(world.outlines.kept_bytes() == 0);
}
