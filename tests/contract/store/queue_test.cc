#include "tests/contract/store/world.h"

#include <map>
#include <set>

using namespace sallyport;
using namespace sallyport::test;
using domain::JobState;

static store::Claim claim_by(const Tenant& tenant) {
  return {.agent = tenant.agent, .at = at_ms(100), .lease_until = at_ms(200)};
}

static std::map<OrgId, int> count_by_organisation(const std::vector<store::Job>& jobs) {
  std::map<OrgId, int> counts;
  for (const auto& job : jobs) ++counts[job.org];
  return counts;
}

STORE_TEST_CASE("queue: a noisy organisation does not push the others back", "[store][jobs][fairness]") {
  Tenant third = co_await world.settle("third");
  for (int i = 0; i < 60; ++i) co_await world.queue_job(world.ours);
  for (int i = 0; i < 3; ++i) co_await world.queue_job(world.theirs);
  for (int i = 0; i < 20; ++i) co_await world.queue_job(third);

  auto next = must(co_await world.stores.jobs.next_queued({}, 12));
  REQUIRE(next.size() == 12);
  auto counts = count_by_organisation(next);
  CHECK(counts[world.theirs.org] == 3);
  CHECK(counts[third.org] >= 4);
  CHECK(counts[world.ours.org] >= 4);
  auto head = count_by_organisation({next.begin(), next.begin() + 3});
  CHECK(head.size() == 3);

  auto all = must(co_await world.stores.jobs.next_queued({}, 1000));
  CHECK(all.size() == 83);
  std::set<JobId> distinct;
  for (const auto& job : all) distinct.insert(job.id);
  CHECK(distinct.size() == all.size());
}

STORE_TEST_CASE("queue: priority, then age, within a group", "[store][jobs]") {
  std::vector<JobId> expected(4);
  const std::pair<int, std::size_t> given[] = {{0, 2}, {5, 0}, {-1, 3}, {5, 1}};
  for (auto [priority, place] : given) {
    auto fresh = world.new_job(world.ours);
    fresh.job.priority = priority;
    expected[place] = fresh.job.id;
    must(co_await world.stores.jobs.add(world.ours.org, fresh));
  }
  auto next = must(co_await world.stores.jobs.next_queued({world.ours.group}, 10));
  std::vector<JobId> order;
  for (const auto& job : next) order.push_back(job.id);
  CHECK(order == expected);
}

STORE_TEST_CASE("queue: only the groups asked for, taking turns", "[store][jobs]") {
  const GroupId other = world.id<GroupId>("grp_");
  must(co_await world.stores.groups.add(world.ours.org, {other, world.ours.org, "dc2", at_ms(0)}));
  for (int i = 0; i < 10; ++i) co_await world.queue_job(world.ours);
  for (int i = 0; i < 10; ++i) {
    auto fresh = world.new_job(world.ours);
    fresh.job.group = other;
    must(co_await world.stores.jobs.add(world.ours.org, fresh));
  }
  co_await world.queue_job(world.theirs);
  auto only_other = must(co_await world.stores.jobs.next_queued({other}, 100));
  CHECK(only_other.size() == 10);
  for (const auto& job : only_other) CHECK(job.group == other);
  auto both = must(co_await world.stores.jobs.next_queued({world.ours.group, other}, 4));
  std::map<GroupId, int> per_group;
  for (const auto& job : both) ++per_group[job.group];
  CHECK(per_group == std::map<GroupId, int>{{world.ours.group, 2}, {other, 2}});
  auto none = must(co_await world.stores.jobs.next_queued({GroupId("grp_absent")}, 4));
  CHECK(none.empty());
}

STORE_TEST_CASE("queue: a recipe at its concurrency limit waits, others go on", "[store][jobs][concurrency]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  std::vector<JobId> limited;
  for (int i = 0; i < 4; ++i) {
    auto fresh = world.new_job(world.ours);
    fresh.job.concurrency_key = "erp";
    fresh.job.concurrency_limit = 2;
    limited.push_back(fresh.job.id);
    must(co_await jobs.add(org, fresh));
  }
  auto free_job = co_await world.queue_job(world.ours);
  must(co_await jobs.claim(org, limited[0], claim_by(world.ours)));
  must(co_await jobs.claim(org, limited[1], claim_by(world.ours)));
  auto third = co_await jobs.claim(org, limited[2], claim_by(world.ours));
  CHECK(refusal(third) == Errc::exhausted);
  auto active = must(co_await jobs.active_count(org, world.ours.recipe, "erp"));
  CHECK(active == 2);
  auto next = must(co_await jobs.next_queued({}, 10));
  REQUIRE(next.size() == 1);
  CHECK(next[0].id == free_job.id);

  must(co_await jobs.finish(org, limited[0], 1, {.state = JobState::failed, .at = at_ms(1), .error = {}}));
  auto after = must(co_await jobs.next_queued({}, 10));
  CHECK(after.size() == 3);
  must(co_await jobs.claim(org, limited[2], claim_by(world.ours)));
}

STORE_TEST_CASE("queue: lines, ages and counts for metrics", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  auto oldest = co_await world.queue_job(world.ours);
  co_await world.queue_job(world.ours);
  co_await world.queue_job(world.theirs);
  co_await world.running_job(world.theirs);
  auto lines = must(co_await jobs.queues());
  REQUIRE(lines.size() == 2);
  const auto& own = lines[0].org == world.ours.org ? lines[0] : lines[1];
  CHECK(own.queued == 2);
  CHECK(own.group == world.ours.group);
  CHECK(own.oldest == oldest.created_at);
  std::map<JobState, std::uint64_t> counts;
  for (const auto& count : must(co_await jobs.unfinished_counts())) counts[count.state] = count.count;
  CHECK(counts == std::map<JobState, std::uint64_t>{{JobState::queued, 3}, {JobState::running, 1}});
}

STORE_TEST_CASE("queue: what is active everywhere, page by page", "[store][jobs]") {
  std::set<JobId> expected;
  for (int i = 0; i < 3; ++i) {
    expected.insert((co_await world.running_job(world.ours)).id);
    expected.insert((co_await world.running_job(world.theirs)).id);
    co_await world.queue_job(world.ours);
  }
  std::set<JobId> seen;
  store::PageQuery query{.limit = 2};
  for (int pages = 0; pages < 3; ++pages) {
    auto page = must(co_await world.stores.jobs.active_all(query));
    for (const auto& job : page.items) CHECK(seen.insert(job.id).second);
    query.after = page.next;
  }
  CHECK(query.after.empty());
  CHECK(seen == expected);
}

STORE_TEST_CASE("jobs: lists are filtered, newest first, in pages", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  auto finished = co_await world.running_job(world.ours);
  must(co_await jobs.finish(org, finished.id, 1, {.state = JobState::failed, .at = at_ms(1), .error = {}}));
  auto running = co_await world.running_job(world.ours);
  auto queued = co_await world.queue_job(world.ours);
  co_await world.queue_job(world.theirs);

  struct Row {
    const char* what;
    store::JobFilter filter;
    std::vector<JobId> expected;
  };
  const Row rows[] = {
      {"all", {}, {queued.id, running.id, finished.id}},
      {"queued", {.state = JobState::queued}, {queued.id}},
      {"running", {.state = JobState::running}, {running.id}},
      {"failed", {.state = JobState::failed}, {finished.id}},
      {"succeeded", {.state = JobState::succeeded}, {}},
      {"of the recipe", {.recipe = world.ours.recipe}, {queued.id, running.id, finished.id}},
      {"of another's recipe", {.recipe = world.theirs.recipe}, {}},
      {"of the agent", {.agent = world.ours.agent}, {running.id, finished.id}},
      {"running on the agent", {.state = JobState::running, .agent = world.ours.agent}, {running.id}},
      {"recent", {.since = queued.created_at}, {queued.id}},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    auto page = must(co_await jobs.list(org, row.filter, {}));
    std::vector<JobId> got;
    for (const auto& job : page.items) got.push_back(job.id);
    CHECK(got == row.expected);
    CHECK(page.next.empty());
  }
  auto first = must(co_await jobs.list(org, {}, {.limit = 2}));
  REQUIRE(first.items.size() == 2);
  auto last = must(co_await jobs.list(org, {}, {.after = first.next, .limit = 2}));
  REQUIRE(last.items.size() == 1);
  CHECK(last.items[0].id == finished.id);
}

STORE_TEST_CASE("pages hold at most 200", "[store][jobs]") {
  for (int i = 0; i < 201; ++i) co_await world.queue_job(world.ours);
  auto page = must(co_await world.stores.jobs.list(world.ours.org, {}, {.limit = 100'000}));
  CHECK(page.items.size() == store::kMaxPage);
  CHECK(!page.next.empty());
  auto least = must(co_await world.stores.jobs.list(world.ours.org, {}, {.limit = 0}));
  CHECK(least.items.size() == 1);
}
