#include "shared/async/task_group.h"
#include "tests/contract/store/world.h"
#include "tests/support/rethrow.h"

#include <algorithm>
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

static AuditEvent event_at(World& world, WallTime at, std::string json = R"({"action":"job.start"})") {
  return {.id = world.id<EventId>("evt_"), .at = at, .json = std::move(json)};
}

static store::AuditNote<> cut_note(World& world, OrgId org, store::AuditCut cut, WallTime at) {
  auto told = event_at(
      world, at,
      R"({"action":"ledger.cut","detail":{"hash":")" + hex(cut.hash) + R"(","seq":)" + std::to_string(cut.seq) + "}}");
  return {[org, told] { return store::AuditEntry{org, told}; }, nullptr};
}

// Cuts off all that is older than `before`; how many rows.
static awaitable<std::size_t> cut_off(World& world, OrgId org, WallTime before, WallTime now) {
  auto& cuts = world.stores.audit_cuts;
  const auto due = must(co_await cuts.due(org, before, 10'000));
  if (!due) co_return 0;
  must(co_await cuts.cut(org, due->cut, cut_note(world, org, due->cut, now)));
  co_return must(co_await cuts.remove(org, 10'000));
}

static awaitable<void> append_hours(World& world, OrgId org, int count) {
  for (int hour = 0; hour < count; ++hour)
    must(co_await world.stores.audit_log.append(org, event_at(world, at_ms(0) + std::chrono::hours(hour))));
}

STORE_TEST_CASE("audit: what is too old is cut off, and the rest is a whole chain", "[store][audit][retention]") {
  auto& log = world.stores.audit_log;
  const OrgId org = world.ours.org;
  co_await append_hours(world, org, 10);
  co_await append_hours(world, world.theirs.org, 10);
  const auto now = at_ms(0) + std::chrono::hours(20);
  const auto nothing = co_await cut_off(world, org, at_ms(0), now);
  CHECK(nothing == 0);
  const auto gone = co_await cut_off(world, org, at_ms(0) + std::chrono::hours(6), now);
  CHECK(gone == 6);
  auto verdict = must(co_await log.verify(org));
  CHECK(verdict.reason == "");
  CHECK(!verdict.bad_seq);
  CHECK(verdict.first_seq == 7);
  CHECK(verdict.rows == 5);  // four, and the event of the cut
  const auto left = must(co_await log.list(org, {}, {}));
  REQUIRE(left.items.size() == 5);
  CHECK(left.items.back().seq == 7);
  const auto again = co_await cut_off(world, org, at_ms(0) + std::chrono::hours(8), now);
  CHECK(again == 2);
  verdict = must(co_await log.verify(org));
  CHECK(!verdict.bad_seq);
  CHECK(verdict.first_seq == 9);
  const auto others = must(co_await log.verify(world.theirs.org));
  CHECK(others.rows == 10);
  CHECK(others.first_seq == 1);
}

STORE_TEST_CASE("audit: rows go some at a time, and a ledger between two of those is whole",
                "[store][audit][retention]") {
  auto& cuts = world.stores.audit_cuts;
  const OrgId org = world.ours.org;
  co_await append_hours(world, org, 10);
  const auto due = must(co_await cuts.due(org, at_ms(0) + std::chrono::hours(8), 5));
  REQUIRE(due);
  CHECK(due->rows == 5);  // as many as were asked for
  CHECK(due->cut.seq == 5);
  must(co_await cuts.cut(org, due->cut, cut_note(world, org, due->cut, at_ms(0) + std::chrono::hours(20))));
  for (const std::size_t expected : {2u, 2u, 1u, 0u}) {
    const auto verdict = must(co_await world.stores.audit_log.verify(org));
    CHECK(!verdict.bad_seq);
    CHECK(verdict.first_seq == 6);
    const auto gone = must(co_await cuts.remove(org, 2));
    CHECK(gone == expected);
  }
  const auto ledgers = must(co_await cuts.ledgers());
  CHECK(std::ranges::count(ledgers, org) == 1);
}

STORE_TEST_CASE("audit: nothing younger goes, whatever the order of times", "[store][audit][retention]") {
  const OrgId org = world.ours.org;
  for (const int hour : {1, 9, 2, 3})  // a clock was ahead once
    must(co_await world.stores.audit_log.append(org, event_at(world, at_ms(0) + std::chrono::hours(hour))));
  const auto gone = co_await cut_off(world, org, at_ms(0) + std::chrono::hours(5), at_ms(0) + std::chrono::hours(20));
  CHECK(gone == 1);
}

STORE_TEST_CASE("audit: a ledger of nothing but cuts is left alone", "[store][audit][retention]") {
  const OrgId org = world.ours.org;
  co_await append_hours(world, org, 3);
  const auto now = at_ms(0) + std::chrono::hours(20);
  auto gone = co_await cut_off(world, org, now, now);
  CHECK(gone == 3);
  gone = co_await cut_off(world, org, now + std::chrono::hours(5), now + std::chrono::hours(5));
  CHECK(gone == 0);
  must(co_await world.stores.audit_log.append(org, event_at(world, now + std::chrono::hours(1))));
  gone = co_await cut_off(world, org, now + std::chrono::hours(5), now + std::chrono::hours(5));
  CHECK(gone == 2);  // the first cut's event, and what came after it
  const auto verdict = must(co_await world.stores.audit_log.verify(org));
  CHECK(verdict.reason == "");
  CHECK(!verdict.bad_seq);
}

STORE_TEST_CASE("audit: a cut is of a row that there is, goes forward only, and needs its event",
                "[store][audit][retention]") {
  auto& cuts = world.stores.audit_cuts;
  const OrgId org = world.ours.org;
  co_await append_hours(world, org, 6);
  const auto due = must(co_await cuts.due(org, at_ms(0) + std::chrono::hours(3), 100));
  REQUIRE(due);
  auto other = due->cut;
  other.hash[0] ^= std::byte{1};
  const auto wrong = co_await cuts.cut(org, other, cut_note(world, org, other, at_ms(0)));
  CHECK(refusal(wrong) == Errc::conflict);
  store::AuditNote<> refused{[]() -> Result<store::AuditEntry> { return fail(Errc::invalid, "planted"); }, nullptr};
  const auto untold = co_await cuts.cut(org, due->cut, std::move(refused));
  CHECK(refusal(untold) == Errc::invalid);
  const auto none = must(co_await cuts.remove(org, 100));
  CHECK(none == 0);
  must(co_await cuts.cut(org, due->cut, cut_note(world, org, due->cut, at_ms(0))));
  const auto back = co_await cuts.cut(org, due->cut, cut_note(world, org, due->cut, at_ms(0)));
  CHECK(refusal(back) == Errc::conflict);
}
