#include "relay/app/restore_ledger.h"

#include "relay/store/sqlite/sqlite_key_store.h"
#include "shared/base/json.h"
#include "tests/unit/relay/jobs/world.h"

using namespace sallyport;
using namespace sallyport::app;
using namespace sallyport::test;

namespace {

// What keys.db tells of a restore that gave up hours of one organisation.
struct Restored {
  static awaitable<Restored> of(const JobsWorld& world, OrgId org) {
    Restored restored{world.folder / "restored-keys.db"};
    must(co_await restored.store->add_restore_notes(
        {{0, OrgId(), R"({"backup":"keys-1.db","organisations":1})"}, {0, org, R"({"lost_hours":2})"}}));
    co_return restored;
  }
  explicit Restored(const std::filesystem::path& file) : store(must(store::SqliteKeyStore::open({.file = file}))) {}

  awaitable<std::size_t> left() { co_return must(co_await store->keys().restore_notes()).size(); }

  std::unique_ptr<store::SqliteKeyStore> store;
};

awaitable<std::vector<ValueMap>> told_in(JobsWorld& world, OrgId ledger) {
  const auto page = must(co_await world.stores.audit_log.list(ledger, {.action = "keys.restore", .since = {}}, {}));
  std::vector<ValueMap> events;
  for (const auto& row : page.items) events.push_back(must(parse_json(store::whole_json(row.event))).as_map());
  co_return events;
}

}  // namespace

JOBS_TEST_CASE("a restore of keys.db is told once in the deployment's ledger and in those of whom it concerns",
               "[app]") {
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  auto restored = co_await Restored::of(world, ours.org);
  for (int start = 0; start < 2; ++start)
    must(co_await tell_of_restores(restored.store->keys(), world.audit, world.log));
  CHECK(co_await restored.left() == 0);

  const auto deployment = co_await told_in(world, store::system_ledger());
  REQUIRE(deployment.size() == 1);
  CHECK(deployment[0].at(Value("actor")) == Value("system"));
  CHECK(deployment[0].at(Value("target")) == Value("keys.db"));
  CHECK(deployment[0].at(Value("detail")).as_map().at(Value("backup")) == Value("keys-1.db"));
  const auto organisation = co_await told_in(world, ours.org);
  REQUIRE(organisation.size() == 1);
  CHECK(organisation[0].at(Value("target")) == Value("organisation:" + ours.org.value));
  CHECK(organisation[0].at(Value("detail")).as_map().at(Value("lost_hours")) == Value(std::int64_t{2}));
  CHECK((co_await told_in(world, theirs.org)).empty());
}

JOBS_TEST_CASE("what a ledger does not take of a restore is logged, and told at the next start", "[app][faults]") {
  const auto ours = co_await world.settle("ours");
  auto restored = co_await Restored::of(world, ours.org);
  world.faults.refuses = [](std::string_view call) { return call == "audit.append"; };
  must(co_await tell_of_restores(restored.store->keys(), world.audit, world.log));
  world.faults.refuses = nullptr;
  CHECK(world.lines.has("keys.restore_not_told"));
  CHECK(co_await restored.left() == 2);
  CHECK((co_await told_in(world, ours.org)).empty());
  must(co_await tell_of_restores(restored.store->keys(), world.audit, world.log));
  CHECK(co_await restored.left() == 0);
  CHECK((co_await told_in(world, ours.org)).size() == 1);
  CHECK((co_await told_in(world, store::system_ledger())).size() == 1);
}
