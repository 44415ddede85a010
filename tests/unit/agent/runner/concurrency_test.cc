#include "agent/runner/concurrency.h"

#include "agent/runner/recipe_cache.h"
#include "tests/unit/agent/runner/engine_bench.h"

namespace sallyport::runner {
using namespace test;
using Entry = ConcurrencyGate::Entry;

namespace {

const ConcurrencyGate::Key kKey(RecipeId("rcp_1"), "k");
JobId job(int number) { return JobId("job_" + std::to_string(number)); }
recipe::Concurrency rule(std::int64_t limit, std::optional<recipe::OnConflict> conflict = std::nullopt) {
  return {limit, std::nullopt, conflict};
}

}  // namespace

TEST_CASE("as many as the limit run, the others wait in order", "[concurrency]") {
  ConcurrencyGate gate;
  CHECK(gate.enter(kKey, job(1), rule(2)) == Entry::may_run);
  CHECK(gate.enter(kKey, job(2), rule(2)) == Entry::may_run);
  CHECK(gate.enter(kKey, job(3), rule(2)) == Entry::must_wait);
  CHECK(gate.enter(kKey, job(4), rule(2)) == Entry::must_wait);
  CHECK(gate.leave(kKey, job(1)) == job(3));
  CHECK(gate.enter(kKey, job(4), rule(2)) == Entry::must_wait);
  CHECK(gate.enter(kKey, job(3), rule(2)) == Entry::may_run);
  CHECK(gate.enter(kKey, job(3), rule(2)) == Entry::may_run);  // asking again changes nothing
  CHECK_FALSE(gate.leave(kKey, job(4)));                       // gave up waiting: nobody's turn comes of it
  CHECK_FALSE(gate.leave(kKey, job(2)));
  CHECK_FALSE(gate.leave(kKey, job(3)));
  CHECK(gate.enter(kKey, job(5), rule(1)) == Entry::may_run);  // nobody is left in the line
}

TEST_CASE("keys and recipes do not count together", "[concurrency]") {
  ConcurrencyGate gate;
  CHECK(gate.enter(kKey, job(1), rule(1)) == Entry::may_run);
  CHECK(gate.enter({RecipeId("rcp_1"), "other"}, job(2), rule(1)) == Entry::may_run);
  CHECK(gate.enter({RecipeId("rcp_2"), "k"}, job(3), rule(1)) == Entry::may_run);
}

TEST_CASE("skip leaves no trace", "[concurrency]") {
  ConcurrencyGate gate;
  const auto skip = rule(1, recipe::OnConflict::skip);
  CHECK(gate.enter(kKey, job(1), skip) == Entry::may_run);
  CHECK(gate.enter(kKey, job(2), skip) == Entry::skipped);
  CHECK_FALSE(gate.leave(kKey, job(1)));
  CHECK(gate.enter(kKey, job(3), skip) == Entry::may_run);
  CHECK_FALSE(gate.leave(kKey, job(9)));  // never entered
}

TEST_CASE("equal recipe texts share one compiled recipe, and few bytes are kept", "[recipe-cache]") {
  const auto text = [](int number) {
    return canonical("steps:\n  - {id: a, uses: log.write@1, with: {text: \"" + std::to_string(number) + "\"}}\n");
  };
  constexpr auto kOfRecipe = journal::Payload::of_recipe;
  RecipeCache cache(2 * text(1).size());
  const auto is_kept = [&](int number, const std::weak_ptr<const recipe::Recipe>& before) {
    return cache.get(text(number), kOfRecipe).value() == before.lock();
  };
  std::weak_ptr<const recipe::Recipe> first = cache.get(text(1), kOfRecipe).value();
  CHECK(is_kept(1, first));
  REQUIRE(cache.get(text(2), kOfRecipe));
  CHECK(is_kept(1, first));
  SECTION("where no payload may be kept it is another recipe") {
    const auto none = cache.get(text(1), journal::Payload::none).value();
    CHECK_FALSE(none->keeps_payload());
    CHECK(is_kept(1, first));
    CHECK(first.lock()->keeps_payload());
  }
  SECTION("what no job uses goes, the least recently used first") {
    REQUIRE(cache.get(text(3), kOfRecipe));
    CHECK(is_kept(1, first));
    REQUIRE((cache.get(text(2), kOfRecipe) && cache.get(text(3), kOfRecipe)));
    CHECK(first.expired());
  }
  SECTION("what a job uses is shared, however many came after it") {
    const auto used = first.lock();
    for (int number = 2; number < 10; ++number) REQUIRE(cache.get(text(number), kOfRecipe));
    CHECK(is_kept(1, first));
  }
  SECTION("one that is larger than all that is kept lives as long as its jobs") {
    RecipeCache small(10);
    auto job = small.get(text(1), kOfRecipe).value();
    const std::weak_ptr<const recipe::Recipe> large = job;
    CHECK(small.get(text(1), kOfRecipe).value() == job);
    job.reset();
    CHECK(large.expired());
  }
  const auto bad = cache.get("{}", kOfRecipe);
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Errc::invalid);
}

}  // namespace sallyport::runner
