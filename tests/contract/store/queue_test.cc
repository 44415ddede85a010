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
  auto next = must(co_await jobs.next_queued({}, 10));
  REQUIRE(next.size() == 1);
  CHECK(next[0].id == free_job.id);

  must(co_await jobs.finish(org, limited[0], 1, {.state = JobState::failed, .at = at_ms(1), .error = {}}));
  auto after = must(co_await jobs.next_queued({}, 10));
  CHECK(after.size() == 2);  // one of the limited, and the free one
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
  auto group = must(co_await world.stores.groups.find(world.ours.org, world.ours.group));
  CHECK(group.queued == 2);
  CHECK(group.oldest_queued_at == oldest.created_at);
  auto theirs = must(co_await world.stores.groups.list(world.theirs.org, {}));
  REQUIRE(theirs.items.size() == 1);
  CHECK(theirs.items[0].queued == 1);
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
      {"before the last", {.until = queued.created_at}, {running.id, finished.id}},
      {"between", {.since = running.created_at, .until = queued.created_at}, {running.id}},
      {"before all", {.until = finished.created_at}, {}},
      {"failed before the last", {.state = JobState::failed, .until = queued.created_at}, {finished.id}},
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

STORE_TEST_CASE("jobs: what an agent tells late stands where it belongs by its time", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  std::vector<store::NewJob> made;
  for (int i = 0; i < 4; ++i) made.push_back(world.new_job(world.ours));
  const std::int64_t at[] = {40, 10, 10, 30};  // ids count up, times do not
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].job.created_at = at_ms(at[i]);
    made[i].job.agent = world.ours.agent;
    made[i].job.state = i % 2 == 0 ? JobState::queued : JobState::running;
    must(co_await jobs.add(org, made[i]));
  }
  const std::vector expected{made[0].job.id, made[3].job.id, made[2].job.id, made[1].job.id};
  for (const auto& filter : {store::JobFilter{}, store::JobFilter{.recipe = world.ours.recipe},
                             store::JobFilter{.agent = world.ours.agent}, store::JobFilter{.since = at_ms(10)}}) {
    std::vector<JobId> got;
    store::PageQuery query{.limit = 1};
    do {
      auto page = must(co_await jobs.list(org, filter, query));
      REQUIRE(page.items.size() == 1);
      got.push_back(page.items[0].id);
      query.after = page.next;
    } while (!query.after.empty());
    CHECK(got == expected);
  }
  std::vector<JobId> early;  // who are of one moment are in or out together, also over pages
  store::PageQuery pages{.limit = 1};
  do {
    auto page = must(co_await jobs.list(org, {.until = at_ms(40)}, pages));
    for (const auto& job : page.items) early.push_back(job.id);
    pages.after = page.next;
  } while (!pages.after.empty());
  CHECK(early == std::vector(expected.begin() + 1, expected.end()));
  auto recent = must(co_await jobs.list(org, {.recipe = world.ours.recipe, .since = at_ms(30)}, {}));
  CHECK(recent.items.size() == 2);
  auto running = must(co_await jobs.list(org, {.state = JobState::running, .since = at_ms(11)}, {}));
  REQUIRE(running.items.size() == 1);
  CHECK(running.items[0].id == made[3].job.id);
}

STORE_TEST_CASE("jobs: a cursor that is none is refused", "[store][jobs]") {
  for (const char* cursor : {"x", "12", "1x/job_1", "/job_1", "99999999999999999999/job_1"}) {
    INFO(cursor);
    auto page = co_await world.stores.jobs.list(world.ours.org, {}, {.after = cursor});
    CHECK(refusal(page) == Errc::invalid);
    auto rows = co_await world.stores.audit_log.list(world.ours.org, {}, {.after = cursor});
    CHECK(refusal(rows) == Errc::invalid);
  }
}

STORE_TEST_CASE("pages hold at most 200", "[store][jobs]") {
  for (int i = 0; i < 201; ++i) co_await world.queue_job(world.ours);
  auto page = must(co_await world.stores.jobs.list(world.ours.org, {}, {.limit = 100'000}));
  CHECK(page.items.size() == store::kMaxPage);
  CHECK(!page.next.empty());
  auto least = must(co_await world.stores.jobs.list(world.ours.org, {}, {.limit = 0}));
  CHECK(least.items.size() == 1);
}

STORE_TEST_CASE("queue: of a line no more is offered than it has room for, best heads first",
                "[store][jobs][concurrency]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  struct Given {
    const char* key;
    std::uint32_t limit;
    std::int32_t priority;
  };
  const Given given[] = {{"a", 2, 1}, {"a", 2, 9}, {"a", 2, 5}, {"b", 1, 7}, {"b", 1, 8}, {"", 0, 6}, {"", 0, 0}};
  std::vector<JobId> ids;
  for (const auto& one : given) {
    auto fresh = world.new_job(world.ours);
    fresh.job.concurrency_key = one.key;
    fresh.job.concurrency_limit = one.limit;
    fresh.job.priority = one.priority;
    ids.push_back(fresh.job.id);
    must(co_await jobs.add(org, fresh));
  }
  const auto offered = [&](std::size_t limit) -> awaitable<std::vector<JobId>> {
    std::vector<JobId> order;
    for (const auto& job : must(co_await jobs.next_queued({world.ours.group}, limit))) order.push_back(job.id);
    co_return order;
  };
  auto all = co_await offered(10);
  CHECK(all == std::vector{ids[1], ids[4], ids[5], ids[2], ids[6]});
  auto some = co_await offered(2);
  CHECK(some == std::vector{ids[1], ids[4]});

  must(co_await jobs.claim(org, ids[1], claim_by(world.ours)));
  must(co_await jobs.claim(org, ids[4], claim_by(world.ours)));
  auto rest = co_await offered(10);
  CHECK(rest == std::vector{ids[5], ids[2], ids[6]});
  must(co_await jobs.release(org, ids[4], 1, {at_ms(1), domain::ReleaseReason::busy}));
  auto back = co_await offered(10);
  CHECK(back == std::vector{ids[4], ids[5], ids[2], ids[6]});
  must(co_await jobs.request_cancel(org, ids[4], {at_ms(2)}));
  auto cancelled = co_await offered(10);
  CHECK(cancelled == std::vector{ids[3], ids[5], ids[2], ids[6]});
}

STORE_TEST_CASE("queue: lines stay true whatever happens to their jobs", "[store][jobs][concurrency]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  std::uint32_t seed = 7;
  const auto dice = [&](std::uint32_t sides) { return (seed = seed * 1664525u + 1013904223u) / 65536u % sides; };
  std::map<JobId, store::Job> known;
  for (int turn = 0; turn < 400; ++turn) {
    if (known.empty() || dice(3) == 0) {
      auto fresh = world.new_job(world.ours);
      fresh.job.concurrency_key = dice(2) == 0 ? "a" : "b";
      fresh.job.concurrency_limit = dice(4);
      if (fresh.job.concurrency_limit == 0 && dice(2) == 0) fresh.job.mode = store::Mode::dry_run;  // takes no place
      fresh.job.priority = static_cast<std::int32_t>(dice(3));
      known[fresh.job.id] = must(co_await jobs.add(org, fresh)).job;
      continue;
    }
    const auto it = std::next(known.begin(), dice(static_cast<std::uint32_t>(known.size())));
    const auto job = it->second;
    if (job.state == JobState::queued && dice(4) > 0) {
      (void)co_await jobs.claim(
          org, job.id,
          {.agent = world.ours.agent, .expected_epoch = job.lease_epoch, .at = at_ms(1), .lease_until = at_ms(2)});
    } else if (job.state == JobState::queued) {
      must(co_await jobs.request_cancel(org, job.id, {at_ms(1)}));
    } else if (dice(2) == 0) {
      must(co_await jobs.release(org, job.id, job.lease_epoch, {at_ms(1), domain::ReleaseReason::busy}));
    } else {
      must(co_await jobs.finish(org, job.id, job.lease_epoch,
                                {.state = JobState::succeeded, .at = at_ms(1), .error = {}}));
    }
    it->second = must(co_await jobs.find(org, job.id));
    if (domain::is_final(it->second.state)) known.erase(it);

    std::map<std::string, std::uint32_t> active;
    for (const auto& [id, one] : known) {
      if (domain::is_active(one.state) && one.mode == store::Mode::real) ++active[one.concurrency_key];
    }
    std::map<std::pair<std::string, std::uint32_t>, std::uint32_t> waiting, offered;
    std::uint64_t waits = 0;
    for (const auto& [id, one] : known) {
      if (one.state != JobState::queued) continue;
      ++waits;
      ++waiting[{one.concurrency_key, one.concurrency_limit}];
    }
    for (const auto& one : must(co_await jobs.next_queued({}, 1'000))) {
      ++offered[{one.concurrency_key, one.concurrency_limit}];
    }
    INFO("turn " << turn);
    for (const auto& [line, count] : waiting) {
      const auto busy = active[line.first];
      const auto room = line.second == 0 ? count : line.second > busy ? line.second - busy : 0;
      CHECK(offered[line] == std::min(count, room));
    }
    const auto group = must(co_await world.stores.groups.find(org, world.ours.group));
    CHECK(group.queued == waits);
    CHECK(group.oldest_queued_at.has_value() == (waits > 0));
  }
}

STORE_TEST_CASE("queue: a full one takes no more, and says how many wait", "[store][jobs]") {
  auto& jobs = world.stores.jobs;
  const OrgId org = world.ours.org;
  const auto add = [&](std::string event_key) -> awaitable<Result<store::AddedJob>> {
    auto fresh = world.new_job(world.ours, std::move(event_key));
    fresh.most_queued = 3;
    co_return co_await jobs.add(org, std::move(fresh));
  };
  for (const char* key : {"1", "2", "3"}) must(co_await add(key));
  auto fourth = co_await add("4");
  REQUIRE(refusal(fourth) == Errc::exhausted);
  CHECK(fourth.error().message.find("3 jobs wait") != std::string::npos);
  auto known = must(co_await add("2"));
  CHECK(known.outcome == store::AddOutcome::duplicate);
  must(co_await jobs.claim(org, known.job.id, claim_by(world.ours)));
  must(co_await add("4"));
}
