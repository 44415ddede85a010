#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

#include <set>

using namespace sallyport;
using namespace sallyport::test;
using store::AuditEvent;

static AuditEvent event(World& world, std::string action) {
  return {.id = world.id<EventId>("evt_"),
          .at = at_ms(world.made),
          .json = R"({"action":")" + action + R"(","actor":"system","outcome":"done","target":""})"};
}

STORE_TEST_CASE("audit: rows are chained per organisation", "[store][audit]") {
  auto& log = world.stores.audit_log;
  const OrgId org = world.ours.org;
  auto first = must(co_await log.append(org, event(world, "agent.enrol")));
  CHECK(first.seq == 1);
  CHECK(first.previous_hash == Bytes(32));
  CHECK(first.hash == store::chain_hash(first.previous_hash, 1, first.event));
  auto foreign = must(co_await log.append(world.theirs.org, event(world, "agent.enrol")));
  CHECK(foreign.seq == 1);
  auto second = must(co_await log.append(org, event(world, "agent.revoke")));
  CHECK(second.seq == 2);
  CHECK(second.previous_hash == first.hash);
  auto system = must(co_await log.append(store::system_ledger(), event(world, "relay.start")));
  CHECK(system.seq == 1);
  auto verdict = must(co_await log.verify(org));
  CHECK(verdict.rows == 2);
  CHECK(!verdict.bad_seq);
  auto empty = must(co_await log.verify(OrgId("org_absent")));
  CHECK(empty.rows == 0);
  CHECK(!empty.bad_seq);
}

STORE_TEST_CASE("audit: lists are filtered, newest first, and of one organisation", "[store][audit][tenancy]") {
  auto& log = world.stores.audit_log;
  for (int i = 0; i < 5; ++i) {
    must(co_await log.append(world.ours.org, event(world, i % 2 ? "job.start" : "job.cancel")));
    must(co_await log.append(world.theirs.org, event(world, "job.start")));
  }
  auto started = must(co_await log.list(world.ours.org, {.action = "job.start"}, {}));
  REQUIRE(started.items.size() == 2);
  CHECK(started.items[0].seq == 4);
  CHECK(started.items[1].seq == 2);
  auto recent = must(co_await log.list(world.ours.org, {.since = started.items[0].event.at}, {}));
  CHECK(recent.items.size() == 2);
  std::vector<std::uint64_t> order;
  store::PageQuery query{.limit = 2};
  do {
    auto page = must(co_await log.list(world.ours.org, {}, query));
    for (const auto& row : page.items) order.push_back(row.seq);
    query.after = page.next;
  } while (!query.after.empty());
  CHECK(order == std::vector<std::uint64_t>{5, 4, 3, 2, 1});
}

static awaitable<void> append_some(World& world, int count) {
  for (int i = 0; i < count; ++i)
    must(co_await world.stores.audit_log.append(world.ours.org, event(world, "job.start")));
}

STORE_TEST_CASE("audit: writers at once make one chain", "[store][audit][concurrency]") {
  TaskGroup writers(co_await boost::asio::this_coro::executor, rethrow);
  for (int i = 0; i < 30; ++i) writers.spawn("append", append_some(world, 20));
  co_await writers.join();
  auto verdict = must(co_await world.stores.audit_log.verify(world.ours.org));
  CHECK(verdict.rows == 600);
  CHECK(!verdict.bad_seq);
}

STORE_TEST_CASE("audit: every part of a row counts in its hash", "[store][audit]") {
  const AuditEvent one = event(world, "job.start");
  const Bytes previous(32, std::byte{1});
  std::set<Bytes> hashes = {store::chain_hash(previous, 1, one)};
  AuditEvent changed = one;
  changed.json += " ";
  hashes.insert(store::chain_hash(previous, 1, changed));
  changed = one;
  changed.at += std::chrono::milliseconds(1);
  hashes.insert(store::chain_hash(previous, 1, changed));
  changed = one;
  changed.id.value.back() = 'Z';
  hashes.insert(store::chain_hash(previous, 1, changed));
  hashes.insert(store::chain_hash(previous, 2, one));
  hashes.insert(store::chain_hash(Bytes(32), 1, one));
  CHECK(hashes.size() == 6);
  co_return;
}
