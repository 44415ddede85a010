#include "tests/unit/relay/jobs/world.h"

using namespace sallyport;
using namespace sallyport::jobs;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

// The assigner has done what there was to do: a probe organisation is decided after all those that were dirty.
awaitable<void> settled(JobsWorld& world) {
  for (int i = 0; i < 2; ++i) {
    const auto before = std::ranges::count(world.faults.calls, "assignments.list");
    world.assigner.reconsider(OrgId("org_ZZZ"));
    const bool done =
        co_await world.until([&] { return std::ranges::count(world.faults.calls, "assignments.list") > before; });
    REQUIRE(done);
  }
}

awaitable<std::optional<AgentId>> watcher_of(JobsWorld& world, Tenant tenant, RecipeId recipe) {
  const auto found = co_await world.stores.assignments.find(tenant.org, std::move(recipe));
  co_return found ? std::optional(found->agent) : std::nullopt;
}

void start(JobsWorld& world) { world.tasks.spawn("assigner", world.assigner.run()); }

// The tenant's agent is linked, watches what there is to watch, and has been told so.
awaitable<std::unique_ptr<FakeLink>> watcher_with_its_set(JobsWorld& world, Tenant tenant) {
  auto link = world.link(tenant);
  world.assigner.link_up(*link);
  start(world);
  co_await settled(world);
  co_await world.assigner.sync(*link, 0);
  REQUIRE(link->got<AssignmentSet>().size() == 1);
  co_return link;
}

}  // namespace

JOBS_TEST_CASE("an active recipe with a local trigger has one watcher of its group, a manual one none", "[jobs]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  start(world);
  co_await settled(world);
  auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == ours.agent);
  watcher = co_await watcher_of(world, ours, ours.recipe);
  CHECK_FALSE(watcher);
  const auto theirs = must(co_await world.stores.assignments.of_agent(other.org, other.agent));
  CHECK(theirs.assignments.empty());
}

JOBS_TEST_CASE("a linked agent is preferred, then the one with fewest, then the oldest", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto second = co_await world.add_agent(ours, ours.group), third = co_await world.add_agent(ours, ours.group);
  auto link2 = world.link(ours, second, ours.group), link3 = world.link(ours, third, ours.group);
  world.assigner.link_up(*link2);
  world.assigner.link_up(*link3);
  start(world);
  std::vector<std::optional<AgentId>> watchers;
  for (const std::string name : {"r1", "r2", "r3"}) {
    const auto recipe = co_await world.add_recipe(ours, watching_recipe(name));
    world.assigner.reconsider(ours.org);
    co_await settled(world);
    watchers.push_back(co_await watcher_of(world, ours, recipe));
  }
  CHECK(watchers == std::vector<std::optional<AgentId>>{second, third, second});
}

JOBS_TEST_CASE("an assignment stays while its agent is away and moves when it is revoked", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  auto link = world.link(ours);
  world.assigner.link_up(*link);
  start(world);
  co_await settled(world);
  const auto second = co_await world.add_agent(ours, ours.group);
  auto other = world.link(ours, second, ours.group);
  world.assigner.link_down(*link);
  world.assigner.link_up(*other);
  co_await settled(world);
  auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == ours.agent);
  must(co_await world.stores.agents.revoke(ours.org, ours.agent, world.clock.wall()));
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == second);
}

JOBS_TEST_CASE("a recipe without an agent waits, and gets the first that comes", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto group = co_await world.add_group(ours, "dc9");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly", "dc9"));
  start(world);
  co_await settled(world);
  auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK_FALSE(watcher);
  CHECK(world.lines.has("assignment.waits"));
  const auto agent = co_await world.add_agent(ours, group);
  auto link = world.link(ours, agent, group);
  world.assigner.link_up(*link);
  co_await settled(world);
  watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == agent);
}

JOBS_TEST_CASE("a new version goes to the same agent, another group to another, and inactive to nobody", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto group = co_await world.add_group(ours, "dc2");
  const auto second = co_await world.add_agent(ours, group);
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  const auto link = co_await watcher_with_its_set(world, ours);
  CHECK(link->got<AssignmentSet>()[0].recipes.at(0).version == 1);

  co_await world.add_recipe(ours, watching_recipe("nightly") + "  - {id: b, uses: log.write@1, with: {text: b}}\n");
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  REQUIRE(link->got<AssignmentSet>().size() == 2);  // told without asking
  CHECK(link->got<AssignmentSet>()[1].recipes.at(0).version == 2);
  CHECK(link->got<AssignmentSet>()[1].recipes.at(0).recipe_json.find("\"b\"") != std::string::npos);
  CHECK(link->got<AssignmentSet>()[1].revision > link->got<AssignmentSet>()[0].revision);

  co_await world.add_recipe(ours, watching_recipe("nightly", "dc2"));
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == second);
  REQUIRE(link->got<AssignmentSet>().size() == 3);
  CHECK(link->got<AssignmentSet>()[2].recipes.empty());

  must(co_await world.stores.recipes.activate(ours.org, recipe, {3, std::nullopt}));
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  watcher = co_await watcher_of(world, ours, recipe);
  CHECK_FALSE(watcher);
}

JOBS_TEST_CASE("nothing is sent before the agent's first word, nor what it has", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  co_await world.add_recipe(ours, watching_recipe("nightly"));
  auto link = world.link(ours);
  world.assigner.link_up(*link);
  start(world);
  co_await settled(world);
  CHECK(link->posted.empty());
  const auto revision = must(co_await world.stores.assignments.of_agent(ours.org, ours.agent)).revision;
  co_await world.assigner.sync(*link, revision);
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  CHECK(link->posted.empty());
  co_await world.assigner.sync(*link, revision + 5);  // of another database: still not the current one
  CHECK(link->posted.size() == 1);
  for (int i = 0; i < 3; ++i) {
    world.assigner.reconsider(ours.org);
    co_await settled(world);
  }
  CHECK(link->posted.size() == 1);  // sent once, not at every change of the organisation
}

JOBS_TEST_CASE("a set that cannot be sent leaves the link alone and is logged", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  co_await world.add_recipe(ours, watching_recipe("nightly"));
  auto link = world.link(ours);
  link->refuses = Error{Errc::too_large, "over 1 MiB"};
  world.assigner.link_up(*link);
  start(world);
  co_await settled(world);
  co_await world.assigner.sync(*link, 0);
  CHECK(world.lines.has("assignment.not_sent"));
  link->refuses.reset();
  co_await world.assigner.sync(*link, 0);
  CHECK(link->posted.size() == 1);
}

JOBS_TEST_CASE("a set that cannot be read or sent for now is sent when it can", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  co_await world.add_recipe(ours, watching_recipe("nightly"));
  auto link = world.link(ours);
  world.assigner.link_up(*link);
  start(world);
  co_await settled(world);
  world.faults.refuses = [](std::string_view call) { return call == "assignments.of_agent"; };
  co_await world.assigner.sync(*link, 0);
  CHECK(world.lines.has("assignment.not_sent"));
  link->refuses = Error{Errc::exhausted, "too much waits"};
  world.faults.refuses = nullptr;
  co_await settled(world);
  CHECK(world.lines.has("too much waits"));
  CHECK(link->posted.empty());
  link->refuses.reset();
  co_await settled(world);
  CHECK(link->posted.size() == 1);
}

JOBS_TEST_CASE("an agent whose recipe was removed is told", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  const auto link = co_await watcher_with_its_set(world, ours);
  must(co_await world.stores.recipes.activate(ours.org, recipe, {1, std::nullopt}));
  const auto removed = must(co_await world.stores.recipes.remove(ours.org, recipe, {world.clock.wall(), {}}));
  const auto watcher = removed.watched_by.value_or(store::TriggerHolder()).agent;
  CHECK(watcher == ours.agent);
  world.assigner.reconsider(ours.org, watcher);
  co_await settled(world);
  REQUIRE(link->got<AssignmentSet>().size() == 2);
  CHECK(link->got<AssignmentSet>()[1].recipes.empty());
}

JOBS_TEST_CASE("a recipe that moves to a group without agents is taken away, and waits for its first", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  auto link = world.link(ours);
  world.assigner.link_up(*link);
  start(world);
  co_await settled(world);
  co_await world.assigner.sync(*link, 0);
  co_await world.add_recipe(ours, watching_recipe("nightly", "dc9"));  // no such group yet
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  REQUIRE(link->got<AssignmentSet>().size() == 2);
  CHECK(link->got<AssignmentSet>()[1].recipes.empty());
  const auto group = co_await world.add_group(ours, "dc9");
  const auto first = co_await world.add_agent(ours, group);
  auto its_link = world.link(ours, first, group);
  world.assigner.link_up(*its_link);
  co_await settled(world);
  const auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == first);
}

// Ten thousand that link one after the other must not ask for ten thousand sets each.
JOBS_TEST_CASE("an agent that links has its own set read, and nobody else's", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  co_await world.add_recipe(ours, watching_recipe("nightly"));
  std::vector<std::unique_ptr<FakeLink>> links;
  links.push_back(world.link(ours));
  for (int i = 0; i < 3; ++i) links.push_back(world.link(ours, co_await world.add_agent(ours, ours.group), ours.group));
  start(world);
  co_await settled(world);
  world.faults.calls.clear();
  for (auto& link : links) {
    world.assigner.link_up(*link);
    co_await world.assigner.sync(*link, 0);
    co_await settled(world);
  }
  CHECK(std::ranges::count(world.faults.calls, "assignments.of_agent") == 4);
  CHECK(std::ranges::count(world.faults.calls, "assignments.find") == 0);
}

JOBS_TEST_CASE("an agent that links after its group was read is not overlooked", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  const auto group = co_await world.add_group(ours, "dc9");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly", "dc9"));
  auto link = world.link(ours, ours.agent, group);
  bool linked = false, moved = false;
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    if (call == "groups.find_by_name" && !std::exchange(linked, true)) world.assigner.link_up(*link);
    if (call == "assignments.list" && linked && !std::exchange(moved, true))
      must(co_await world.stores.agents.move(ours.org, ours.agent, {ours.group, group}));
  };
  start(world);
  const bool made = co_await world.until([&] { return world.lines.has("assignment.made"); });
  CHECK(made);
  co_await settled(world);
  const auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == ours.agent);
}

// A link may end while another agent's set is being read.
JOBS_TEST_CASE("links that end while their organisation is told are not touched", "[jobs]") {
  const auto ours = co_await world.settle("ours");
  std::vector<std::unique_ptr<FakeLink>> links;
  links.push_back(world.link(ours));
  for (int i = 0; i < 3; ++i) {
    const auto agent = co_await world.add_agent(ours, ours.group);
    links.push_back(world.link(ours, agent, ours.group));
  }
  for (auto& link : links) {
    world.assigner.link_up(*link);
    co_await world.assigner.sync(*link, 99);
  }
  for (const std::string name : {"r1", "r2", "r3", "r4"}) co_await world.add_recipe(ours, watching_recipe(name));
  world.faults.calls.clear();
  world.faults.before = [&](std::string_view call) -> awaitable<void> {
    const bool all_made = std::ranges::count(world.faults.calls, "assignments.assign") == 4;
    if (call != "assignments.of_agent" || !all_made) co_return;
    for (auto& link : links) world.assigner.link_down(*link);
    links.clear();
  };
  start(world);
  co_await settled(world);
  world.faults.before = nullptr;
  CHECK(links.empty());
}

JOBS_TEST_CASE("a store that fails never takes a trigger away, and what failed is done later", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  start(world);
  co_await settled(world);
  bool failed = true;
  for (std::size_t k = 1; failed; ++k) {
    REQUIRE(k < 50);
    INFO("call " << k);
    world.lines.text.clear();
    world.faults.fail_at = k;
    world.assigner.reconsider(ours.org);
    co_await settled(world);
    failed = world.faults.fail_at == 0;
    world.faults.fail_at = 0;
    const auto watcher = co_await watcher_of(world, ours, recipe);
    CHECK(watcher == ours.agent);
    world.assigner.reconsider(ours.org);
    co_await settled(world);
  }
}

JOBS_TEST_CASE("one organisation's trouble does not keep the others waiting", "[jobs][tenancy]") {
  const auto first = co_await world.settle("first");
  world.clock.advance(1s);
  const auto second = co_await world.settle("second");
  REQUIRE(first.org < second.org);
  co_await world.add_recipe(first, watching_recipe("nightly"));
  const auto recipe = co_await world.add_recipe(second, watching_recipe("nightly"));
  world.faults.refuses = [](std::string_view call) { return call == "assignments.find"; };
  start(world);
  const bool tried =
      co_await world.until([&] { return std::ranges::count(world.faults.calls, "assignments.find") >= 2; });
  CHECK(tried);  // the second, too, although the first one failed
  world.faults.refuses = nullptr;
  world.assigner.reconsider(second.org);
  const bool assigned = co_await world.until([&] { return world.lines.has("assignment.made"); });
  CHECK(assigned);
  co_await settled(world);
  const auto watcher = co_await watcher_of(world, second, recipe);
  CHECK(watcher == second.agent);
}

// Not knowing whether the group is there is not the same as knowing that it is gone.
JOBS_TEST_CASE("an assignment that has to move is not withdrawn for a store that fails", "[jobs][faults]") {
  const auto ours = co_await world.settle("ours");
  const auto second = co_await world.add_agent(ours, ours.group);
  const auto recipe = co_await world.add_recipe(ours, watching_recipe("nightly"));
  start(world);
  co_await settled(world);
  must(co_await world.stores.agents.revoke(ours.org, ours.agent, world.clock.wall()));
  world.faults.refuses = [](std::string_view call) { return call == "groups.find_by_name"; };
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  auto watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == ours.agent);
  CHECK(world.lines.has("assignment.failed"));
  world.faults.refuses = nullptr;
  world.assigner.reconsider(ours.org);
  co_await settled(world);
  watcher = co_await watcher_of(world, ours, recipe);
  CHECK(watcher == second);
}

JOBS_TEST_CASE("agents are told with their recipes whether they may keep payload, and when that changes",
               "[jobs][retention]") {
  const auto ours = co_await world.settle("ours"), other = co_await world.settle("other");
  co_await world.add_recipe(ours, watching_recipe("nightly"));
  co_await world.add_recipe(other, watching_recipe("nightly"));
  auto theirs = world.link(other);
  world.assigner.link_up(*theirs);
  const auto link = co_await watcher_with_its_set(world, ours);
  co_await world.assigner.sync(*theirs, 0);
  CHECK(link->got<AssignmentSet>().back().recipes.at(0).payload == store::Payload::kept);
  domain::RetentionLimits none;
  none[domain::RetentionClass::payload] = domain::kKeptNever;
  must(co_await world.stores.retentions.set(ours.org, {.wanted = none, .only_if = {}}));
  world.assigner.tell_all(ours.org);
  co_await settled(world);
  const auto sets = link->got<AssignmentSet>();
  REQUIRE(sets.size() == 2);
  CHECK(sets.back().revision > sets.front().revision);
  CHECK(sets.back().recipes.at(0).payload == store::Payload::none);
  CHECK(theirs->got<AssignmentSet>().size() == 1);
}
