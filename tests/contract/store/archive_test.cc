#include "tests/contract/store/world.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

awaitable<store::Job> queue(World& world, Tenant tenant, domain::Hours archive,
                            store::Payload payload = store::Payload::kept) {
  auto fresh = world.new_job(tenant);
  fresh.job.retention.archive = archive;
  fresh.job.payload = payload;
  if (payload == store::Payload::none) fresh.sealed_trigger = {};
  co_return must(co_await world.stores.jobs.add(tenant.org, std::move(fresh))).job;
}

awaitable<void> end(World& world, store::Job job) {
  must(co_await world.stores.jobs.request_cancel(job.org, job.id, {at_ms(1'000), {}}));
}

awaitable<std::uint64_t> waiting(World& world, OrgId org) {
  co_return must(co_await world.stores.archive.count_waiting(org));
}

store::ArchivedRecord record_of(const JobId& job, store::Hour hour = 10) {
  return {.job = job,
          .place = "local",
          .object = "a/" + job.value,
          .hours = 48,
          .hour = hour,
          .size = 7,
          .archived_at = at_ms(5)};
}

awaitable<void> settle(World& world, OrgId org, store::ArchivedRecord record) {
  must(co_await world.stores.archive.intend(org, record));
  must(co_await world.stores.archive.settle(org, record));
}

}  // namespace

STORE_TEST_CASE("archive: an organisation has one place or none, and the change is noted with it", "[store][archive]") {
  auto& archive = world.stores.archive;
  CHECK(must(co_await archive.place(world.ours.org)).empty());
  const auto set = must(co_await archive.set_place(world.ours.org, "local", at_ms(1)));
  CHECK(set.before.empty());
  CHECK(set.now == "local");
  const auto moved = must(co_await archive.set_place(world.ours.org, "offsite", at_ms(2)));
  CHECK(moved.before == "local");
  CHECK(must(co_await archive.place(world.ours.org)) == "offsite");
  CHECK(must(co_await archive.place(world.theirs.org)).empty());
  must(co_await archive.set_place(world.ours.org, "", at_ms(3)));
  CHECK(must(co_await archive.place(world.ours.org)).empty());
  const auto absent = co_await archive.set_place(OrgId("org_absent"), "local", at_ms(4));
  CHECK(refusal(absent) == Errc::not_found);
  store::AuditNote<store::ChangedPlace> refused{
      [](const store::ChangedPlace&) -> Result<store::AuditEntry> { return fail(Errc::invalid, "planted"); }, nullptr};
  const auto undone = co_await archive.set_place(world.ours.org, "local", at_ms(5), std::move(refused));
  CHECK(refusal(undone) == Errc::invalid);
  CHECK(must(co_await archive.place(world.ours.org)).empty());
}

STORE_TEST_CASE("archive: a job waits from its end on, when recipe and organisation want it", "[store][archive]") {
  auto& archive = world.stores.archive;
  const auto before = co_await queue(world, world.ours, 48h);
  co_await end(world, before);  // the organisation has no archive yet
  auto count = co_await waiting(world, world.ours.org);
  CHECK(count == 0);
  must(co_await archive.set_place(world.ours.org, "local", at_ms(1)));
  const auto unwanted = co_await queue(world, world.ours, domain::kKeptNever);
  co_await end(world, unwanted);
  const auto memory = co_await queue(world, world.ours, 48h, store::Payload::none);
  co_await end(world, memory);
  const auto foreign = co_await queue(world, world.theirs, 48h);
  co_await end(world, foreign);
  const auto wanted = co_await queue(world, world.ours, 48h);
  count = co_await waiting(world, world.ours.org);
  CHECK(count == 0);
  co_await end(world, wanted);
  count = co_await waiting(world, world.ours.org);
  CHECK(count == 1);
  CHECK(must(co_await archive.count_waiting()) == 1);
  const auto due = must(co_await archive.due(at_ms(2'000), at_ms(600'000), 10));
  REQUIRE(due.size() == 1);
  CHECK(due[0].org == world.ours.org);
  CHECK(due[0].job == wanted.id);
  CHECK(due[0].failures == 0);
}

STORE_TEST_CASE("archive: what failed comes later, what is settled or given up does not", "[store][archive]") {
  auto& archive = world.stores.archive;
  must(co_await archive.set_place(world.ours.org, "local", at_ms(1)));
  std::vector<JobId> jobs;
  for (int i = 0; i < 3; ++i) {
    const auto job = co_await queue(world, world.ours, 48h);
    co_await end(world, job);
    jobs.push_back(job.id);
  }
  must(co_await archive.put_off(world.ours.org, jobs[0], at_ms(9'000)));
  CHECK(must(co_await archive.due(at_ms(8'999), at_ms(600'000), 10)).size() == 2);
  CHECK(must(co_await archive.due(at_ms(8'999), at_ms(600'000), 1)).size() == 1);
  const auto later = must(co_await archive.due(at_ms(9'000), at_ms(600'000), 10));
  REQUIRE(later.size() == 3);
  CHECK(later[2].job == jobs[0]);  // whoever waits longest comes first
  CHECK(later[2].failures == 1);
  CHECK(must(co_await archive.due(at_ms(1), at_ms(8'999), 10)).size() == 1);  // written by a clock that was ahead
  CHECK(must(co_await archive.due(at_ms(1), at_ms(9'000), 10)).empty());
  co_await settle(world, world.ours.org, record_of(jobs[0]));
  co_await settle(world, world.ours.org, record_of(jobs[0]));  // the same again, after a crash
  must(co_await archive.give_up(world.ours.org, jobs[1]));
  const auto left = must(co_await archive.due(at_ms(9'000), at_ms(600'000), 10));
  REQUIRE(left.size() == 1);
  CHECK(left[0].job == jobs[2]);
  store::AuditNote<> refused{[]() -> Result<store::AuditEntry> { return fail(Errc::invalid, "planted"); }, nullptr};
  const auto undone = co_await archive.give_up(world.ours.org, jobs[2], std::move(refused));
  CHECK(refusal(undone) == Errc::invalid);
  const auto count = co_await waiting(world, world.ours.org);
  CHECK(count == 1);  // nothing is given up that the ledger does not tell
}

STORE_TEST_CASE("archive: records are listed, found by their hour and removed, of one organisation",
                "[store][archive][tenancy]") {
  auto& archive = world.stores.archive;
  std::vector<JobId> jobs;
  for (int i = 0; i < 5; ++i) {
    jobs.push_back(world.id<JobId>("job_"));
    co_await settle(world, world.ours.org, record_of(jobs.back(), 10 + i));
    co_await settle(world, world.theirs.org, record_of(jobs.back(), 10 + i));
  }
  std::vector<JobId> listed;
  store::PageQuery query{.limit = 2};
  do {
    auto page = must(co_await archive.list(world.ours.org, query));
    for (const auto& one : page.items) listed.push_back(one.job);
    query.after = page.next;
  } while (!query.after.empty());
  std::ranges::reverse(listed);
  CHECK(listed == jobs);
  const auto found = must(co_await archive.find(world.ours.org, jobs[1]));
  CHECK(found.object == "a/" + jobs[1].value);
  CHECK(found.hour == 11);
  CHECK(found.size == 7);
  const auto ended = must(co_await archive.ended(world.ours.org, 48, 12));
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].place == "local");
  CHECK(ended[0].count == 2);
  CHECK(must(co_await archive.objects_of(ended[0], 0, 10)).size() == 2);
  CHECK(must(co_await archive.objects_of(ended[0], 0, 1)).at(0).job == jobs[0]);
  CHECK(must(co_await archive.objects_of(ended[0], 1, 10)).at(0).job == jobs[1]);
  CHECK(must(co_await archive.ended(world.ours.org, 24, 99)).empty());
  must(co_await archive.remove(world.ours.org, jobs[1], "local"));
  const auto gone = co_await archive.find(world.ours.org, jobs[1]);
  CHECK(refusal(gone) == Errc::not_found);
  CHECK(must(co_await archive.find(world.theirs.org, jobs[1])).job == jobs[1]);
  const auto foreign = co_await archive.find(OrgId("org_absent"), jobs[0]);
  CHECK(refusal(foreign) == Errc::not_found);
}

STORE_TEST_CASE("archive: what may be there has one name at each place, and is not archived before it is settled",
                "[store][archive]") {
  auto& archive = world.stores.archive;
  auto record = record_of(world.id<JobId>("job_"));
  CHECK(must(co_await archive.intend(world.ours.org, record)) == record.object);
  auto again = record;
  again.object = "b/other";
  again.hour = 12;
  CHECK(must(co_await archive.intend(world.ours.org, again)) == record.object);
  again.place = "offsite";
  CHECK(must(co_await archive.intend(world.ours.org, again)) == "b/other");
  CHECK(refusal(co_await archive.find(world.ours.org, record.job)) == Errc::not_found);
  CHECK(must(co_await archive.list(world.ours.org, {})).items.empty());
  must(co_await archive.settle(world.ours.org, again));
  CHECK(must(co_await archive.find(world.ours.org, record.job)).place == "offsite");
  const auto ended = must(co_await archive.ended(world.ours.org, 48, 13));
  REQUIRE(ended.size() == 2);  // both are removed in time
  CHECK(ended[1].place == "offsite");
  CHECK(must(co_await archive.objects_of(ended[1], 0, 10)).at(0).hour == 12);
  const auto unknown = co_await archive.settle(world.ours.org, record_of(world.id<JobId>("job_")));
  CHECK(refusal(unknown) == Errc::not_found);
}
