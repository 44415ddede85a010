#include "tests/contract/store/world.h"

using namespace sallyport;
using namespace sallyport::test;
using store::ApplyOutcome;

static store::NewRecipeVersion version_of(World& world, std::string name, int digest) {
  return {.id_if_new = world.id<RecipeId>("rcp_"),
          .name = std::move(name),
          .run_on = "dc1",
          .trigger = "schedule",
          .source_yaml = "source " + std::to_string(digest),
          .canonical_json = "{}",
          .sha256 = Bytes(32, static_cast<std::byte>(digest)),
          .created_by = world.ours.owner,
          .created_at = at_ms(digest)};
}

STORE_TEST_CASE("recipes: applying adds a version only when something changed", "[store][recipes]") {
  auto& recipes = world.stores.recipes;
  const OrgId org = world.ours.org;
  struct Row {
    int digest;
    ApplyOutcome outcome;
    std::uint32_t version;
  };
  RecipeId id;
  for (const Row& row : {Row{10, ApplyOutcome::recipe_created, 1}, Row{10, ApplyOutcome::unchanged, 1},
                         Row{11, ApplyOutcome::version_added, 2}, Row{10, ApplyOutcome::version_added, 3}}) {
    INFO("digest " << row.digest << " -> version " << row.version);
    auto applied = must(co_await recipes.apply(org, version_of(world, "nightly", row.digest)));
    CHECK(applied.outcome == row.outcome);
    CHECK(applied.version == row.version);
    CHECK(applied.recipe.latest_version == row.version);
    CHECK(!applied.recipe.active_version);
    if (!id.empty()) CHECK(applied.recipe.id == id);
    id = applied.recipe.id;
  }
  auto second = must(co_await recipes.version(org, id, 2));
  CHECK(second.source_yaml == "source 11");
  CHECK(second.trigger == "schedule");
  CHECK(second.run_on == "dc1");
  CHECK(second.created_by == world.ours.owner);
  CHECK(second.sha256 == Bytes(32, std::byte{11}));
  auto newest = must(co_await recipes.versions(org, id, {.limit = 2}));
  REQUIRE(newest.items.size() == 2);
  CHECK(newest.items[0].version == 3);
  auto oldest = must(co_await recipes.versions(org, id, {.after = newest.next, .limit = 2}));
  REQUIRE(oldest.items.size() == 1);
  CHECK(oldest.items[0].version == 1);
  CHECK(oldest.next.empty());
}

STORE_TEST_CASE("recipes: activation is a compare-and-set", "[store][recipes]") {
  auto& recipes = world.stores.recipes;
  const OrgId org = world.ours.org;
  const RecipeId id = world.ours.recipe;
  must(co_await recipes.apply(org, version_of(world, "orders", 2)));
  auto active = must(co_await recipes.activate(org, id, {.expected = std::nullopt, .wanted = 1}));
  CHECK(active.active_version == 1u);
  auto stale = co_await recipes.activate(org, id, {.expected = std::nullopt, .wanted = 2});
  CHECK(refusal(stale) == Errc::conflict);
  for (std::uint32_t absent : {0u, 3u, 99u}) {
    auto refused = co_await recipes.activate(org, id, {.expected = 1, .wanted = absent});
    CHECK(refusal(refused) == Errc::not_found);
  }
  must(co_await recipes.activate(org, id, {.expected = 1, .wanted = 2}));
  auto listed = must(co_await recipes.active(org, {}));
  REQUIRE(listed.items.size() == 1);
  CHECK(listed.items[0].version == 2);
  must(co_await recipes.activate(org, id, {.expected = 2, .wanted = std::nullopt}));
  auto found = must(co_await recipes.find_by_name(org, "orders"));
  CHECK(!found.active_version);
  auto none = must(co_await recipes.active(org, {}));
  CHECK(none.items.empty());
}

STORE_TEST_CASE("recipes: another organisation's recipe does not exist", "[store][recipes][tenancy]") {
  auto& recipes = world.stores.recipes;
  const OrgId org = world.ours.org;
  const RecipeId foreign = world.theirs.recipe;
  must(co_await recipes.activate(world.theirs.org, foreign, {.expected = std::nullopt, .wanted = 1}));
  auto found = co_await recipes.find(org, foreign);
  CHECK(refusal(found) == Errc::not_found);
  auto version = co_await recipes.version(org, foreign, 1);
  CHECK(refusal(version) == Errc::not_found);
  auto versions = co_await recipes.versions(org, foreign, {});
  CHECK(refusal(versions) == Errc::not_found);
  auto activated = co_await recipes.activate(org, foreign, {.expected = 1, .wanted = std::nullopt});
  CHECK(refusal(activated) == Errc::not_found);
  auto by_name = must(co_await recipes.find_by_name(org, "orders"));
  CHECK(by_name.id == world.ours.recipe);
  auto listed = must(co_await recipes.list(org, {}, {}));
  CHECK(listed.items.size() == 1);
  auto active = must(co_await recipes.active(org, {}));
  CHECK(active.items.empty());
}

static awaitable<AgentId> second_agent(World& world) {
  const AgentId agent = world.id<AgentId>("agt_");
  must(co_await world.stores.agents.add(world.ours.org, {.id = agent, .group = world.ours.group, .name = "edge-2"}));
  co_return agent;
}

STORE_TEST_CASE("assignments: one agent watches, and every change is counted", "[store][assignments]") {
  auto& assignments = world.stores.assignments;
  const OrgId org = world.ours.org;
  const RecipeId recipe = world.ours.recipe;
  const AgentId first = world.ours.agent;
  const AgentId second = co_await second_agent(world);
  auto nobody = must(co_await assignments.of_agent(org, first));
  auto before = must(co_await assignments.has_watched(org, recipe, first));
  CHECK_FALSE(before);
  CHECK(nobody.revision == 0);

  must(co_await assignments.assign(org, std::nullopt, {org, recipe, 1, first}));
  must(co_await assignments.assign(org, first, {org, recipe, 1, first}));
  auto held = must(co_await assignments.of_agent(org, first));
  CHECK(held.revision == 1);
  REQUIRE(held.assignments.size() == 1);
  CHECK(held.assignments[0].version == 1);

  auto stale = co_await assignments.assign(org, std::nullopt, {org, recipe, 1, second});
  CHECK(refusal(stale) == Errc::conflict);
  must(co_await assignments.assign(org, first, {org, recipe, 1, second}));
  auto lost = must(co_await assignments.of_agent(org, first));
  CHECK(lost.revision == 2);
  CHECK(lost.assignments.empty());
  auto gained = must(co_await assignments.of_agent(org, second));
  CHECK(gained.revision == 1);
  auto watcher = must(co_await assignments.find(org, recipe));
  CHECK(watcher.agent == second);

  must(co_await assignments.withdraw(org, recipe));
  must(co_await assignments.withdraw(org, recipe));
  auto withdrawn = must(co_await assignments.of_agent(org, second));
  CHECK(withdrawn.revision == 2);
  auto gone = co_await assignments.find(org, recipe);
  CHECK(refusal(gone) == Errc::not_found);
  for (const auto& agent : {first, second}) {
    auto once = must(co_await assignments.has_watched(org, recipe, agent));
    CHECK(once);
  }
  auto no_version = co_await assignments.assign(org, std::nullopt, {org, recipe, 7, first});
  CHECK(refusal(no_version) == Errc::not_found);
}

STORE_TEST_CASE("assignments: never across organisations", "[store][assignments][tenancy]") {
  auto& assignments = world.stores.assignments;
  const OrgId org = world.ours.org;
  auto foreign_agent = co_await assignments.assign(org, std::nullopt, {org, world.ours.recipe, 1, world.theirs.agent});
  CHECK(refusal(foreign_agent) == Errc::not_found);
  auto foreign_recipe = co_await assignments.assign(org, std::nullopt, {org, world.theirs.recipe, 1, world.ours.agent});
  CHECK(refusal(foreign_recipe) == Errc::not_found);
  must(co_await assignments.assign(world.theirs.org, std::nullopt,
                                   {world.theirs.org, world.theirs.recipe, 1, world.theirs.agent}));
  must(co_await assignments.withdraw(org, world.theirs.recipe));
  auto kept = must(co_await assignments.find(world.theirs.org, world.theirs.recipe));
  CHECK(kept.agent == world.theirs.agent);
  auto seen = must(co_await assignments.of_agent(org, world.theirs.agent));
  CHECK(seen.revision == 0);
  CHECK(seen.assignments.empty());
  auto listed = must(co_await assignments.list(org, {}));
  CHECK(listed.items.empty());
}

STORE_TEST_CASE("assignments: who has ever watched is remembered", "[store][assignments]") {
  auto& assignments = world.stores.assignments;
  const auto& ours = world.ours;
  const auto watched = [&](OrgId org, AgentId agent) -> awaitable<bool> {
    co_return must(co_await assignments.has_watched(org, ours.recipe, agent));
  };
  const bool before = co_await watched(ours.org, ours.agent);
  CHECK_FALSE(before);
  must(co_await assignments.assign(ours.org, std::nullopt, {ours.org, ours.recipe, 1, ours.agent}));
  const bool now = co_await watched(ours.org, ours.agent);
  CHECK(now);
  must(co_await assignments.withdraw(ours.org, ours.recipe));
  const bool after = co_await watched(ours.org, ours.agent);
  CHECK(after);
  const bool foreign = co_await watched(world.theirs.org, ours.agent);
  CHECK_FALSE(foreign);
}

STORE_TEST_CASE("recipes: a removed one stays readable by id, and its name begins anew", "[store][recipes]") {
  auto& recipes = world.stores.recipes;
  const OrgId org = world.ours.org;
  const RecipeId id = world.ours.recipe;
  const auto job = co_await world.running_job(world.ours);
  must(co_await world.stores.jobs.finish(org, job.id, 1, {.state = domain::JobState::succeeded, .at = at_ms(30)}));
  must(co_await world.stores.assignments.assign(org, std::nullopt, {org, id, 1, world.ours.agent}));
  const auto revision = must(co_await world.stores.assignments.of_agent(org, world.ours.agent)).revision;

  const auto removed = must(co_await recipes.remove(org, id, {at_ms(40)}));
  CHECK(removed.name == "orders");
  CHECK(removed.removed_at == at_ms(40));
  const auto found = must(co_await recipes.find(org, id));
  CHECK(found.name == "orders");
  CHECK(found.removed_at == at_ms(40));
  const auto version = must(co_await recipes.version(org, id, 1));
  CHECK(version.source_yaml == "recipe: orders");
  const auto history = must(co_await world.stores.jobs.find(org, job.id));
  CHECK(history.recipe == id);
  CHECK(history.recipe_name == "orders");
  auto by_name = co_await recipes.find_by_name(org, "orders");
  CHECK(refusal(by_name) == Errc::not_found);
  const auto listed = must(co_await recipes.list(org, {}, {}));
  CHECK(listed.items.empty());
  const auto all = must(co_await recipes.list(org, {"orders", store::Removed::included}, {}));
  REQUIRE(all.items.size() == 1);
  CHECK(all.items[0].removed_at == at_ms(40));
  const auto others = must(co_await recipes.list(org, {"order", store::Removed::included}, {}));
  CHECK(others.items.empty());
  const auto watching = must(co_await world.stores.assignments.of_agent(org, world.ours.agent));
  CHECK(watching.assignments.empty());
  CHECK(watching.revision > revision);

  auto again = co_await recipes.remove(org, id, {at_ms(41)});
  CHECK(refusal(again) == Errc::not_found);
  auto activated = co_await recipes.activate(org, id, {std::nullopt, 1});
  CHECK(refusal(activated) == Errc::conflict);
  auto started = co_await world.stores.jobs.add(org, world.new_job(world.ours));
  CHECK(refusal(started) == Errc::conflict);

  auto namesake = version_of(world, "orders", 1);
  const auto fresh = must(co_await recipes.apply(org, namesake));
  CHECK(fresh.outcome == ApplyOutcome::recipe_created);
  CHECK(fresh.recipe.id != id);
  CHECK(fresh.version == 1);
  must(co_await recipes.remove(org, fresh.recipe.id, {at_ms(50)}));
  const auto third = must(co_await recipes.apply(org, version_of(world, "orders", 1)));
  CHECK(third.version == 1);
}

STORE_TEST_CASE("recipes: one that is in use is not removed", "[store][recipes]") {
  auto& recipes = world.stores.recipes;
  const OrgId org = world.ours.org;
  const RecipeId id = world.ours.recipe;
  must(co_await recipes.activate(org, id, {std::nullopt, 1}));
  auto active = co_await recipes.remove(org, id, {at_ms(1)});
  CHECK(refusal(active) == Errc::conflict);
  CHECK(active.error().message.find("deactivate it first") != std::string::npos);
  must(co_await recipes.activate(org, id, {1, std::nullopt}));

  const auto queued = co_await world.queue_job(world.ours);
  auto waiting = co_await recipes.remove(org, id, {at_ms(1)});
  CHECK(refusal(waiting) == Errc::conflict);
  CHECK(waiting.error().message.find(queued.id.value) != std::string::npos);
  must(co_await world.stores.jobs.request_cancel(org, queued.id, {at_ms(2)}));
  const auto running = co_await world.running_job(world.ours);
  auto busy = co_await recipes.remove(org, id, {at_ms(3)});
  CHECK(refusal(busy) == Errc::conflict);
  must(co_await world.stores.jobs.finish(org, running.id, 1, {.state = domain::JobState::failed, .at = at_ms(4)}));
  must(co_await recipes.remove(org, id, {at_ms(5)}));
}

STORE_TEST_CASE("recipes: what an agent ran before a removal is stored after it", "[store][recipes][jobs]") {
  const OrgId org = world.ours.org;
  must(co_await world.stores.recipes.remove(org, world.ours.recipe, {at_ms(1)}));
  auto late = world.new_job(world.ours);
  late.job.state = domain::JobState::running;
  late.job.agent = world.ours.agent;
  const auto added = must(co_await world.stores.jobs.add(org, std::move(late)));
  CHECK(added.outcome == store::AddOutcome::added);
}

STORE_TEST_CASE("recipes: another organisation's is not removed", "[store][recipes][tenancy]") {
  auto foreign = co_await world.stores.recipes.remove(world.ours.org, world.theirs.recipe, {at_ms(1)});
  CHECK(refusal(foreign) == Errc::not_found);
  const auto kept = must(co_await world.stores.recipes.find(world.theirs.org, world.theirs.recipe));
  CHECK_FALSE(kept.removed_at);
}

STORE_TEST_CASE("recipes: a change that expects a state meets no other", "[store][recipes]") {
  auto& recipes = world.stores.recipes;
  const auto& ours = world.ours;
  const auto seen = state_of(must(co_await recipes.find(ours.org, ours.recipe)));
  CHECK(seen == store::RecipeState{1, std::nullopt});
  const store::RecipeState other{2, std::nullopt};
  auto stale = co_await recipes.activate(ours.org, ours.recipe, {std::nullopt, 1, other});
  CHECK(refusal(stale) == Errc::conflict);
  auto kept = co_await recipes.remove(ours.org, ours.recipe, {at_ms(1), other});
  CHECK(refusal(kept) == Errc::conflict);
  must(co_await recipes.activate(ours.org, ours.recipe, {std::nullopt, 1, seen}));
  must(co_await recipes.activate(ours.org, ours.recipe, {1, std::nullopt}));
  must(co_await recipes.remove(ours.org, ours.recipe, {at_ms(1), seen}));
}
