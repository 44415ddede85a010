#include "relay/store/sqlite/sqlite_key_store.h"
#include "tests/contract/store/world.h"
#include "tests/support/temp_dir.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::store;

namespace {

const RetentionLane kPayload{"payload", 2}, kLogs{"logs", 4};
const OrgId kOurs("org_ours"), kTheirs("org_theirs");

struct Keys {
  TempDir folder;
  std::unique_ptr<SqliteKeyStore> engine = must(SqliteKeyStore::open({.file = folder / "keys.db"}));
  KeyStore& store = engine->keys();

  boost::asio::awaitable<void> add(OrgId org, RetentionLane lane, Hour hour, std::string wrapped) {
    NewHourKey key{.lane = lane, .hour = hour, .key = {1, bytes_of(wrapped)}};
    const auto there = must(co_await store.ratchet(org, lane));
    if (!there) key.first = Ratchet{org, lane, hour, bytes_of("ratchet")};
    must(co_await store.add_hour_key(org, std::move(key)));
  }
};

}  // namespace

ASYNC_TEST_CASE("keys: versions are kept in order, each once, each organisation's for itself", "[store][keys]") {
  Keys keys;
  for (std::uint32_t version : {1u, 2u}) {
    must(co_await keys.store.add_global_key({version, 0, bytes_of("global"), at_ms(version)}));
    must(co_await keys.store.add_tenant_key(kOurs, {version, version, bytes_of("tenant"), at_ms(version)}));
  }
  const auto again = co_await keys.store.add_global_key({2, 0, bytes_of("other"), at_ms(3)});
  REQUIRE(!again);
  CHECK(again.error().code == Errc::conflict);
  const auto globals = must(co_await keys.store.global_keys());
  REQUIRE(globals.size() == 2);
  CHECK(globals[1].version == 2);
  CHECK(globals[1].wrapped == bytes_of("global"));
  const auto ours = must(co_await keys.store.tenant_keys(kOurs)),
             theirs = must(co_await keys.store.tenant_keys(kTheirs));
  REQUIRE(ours.size() == 2);
  CHECK(ours[1].under == 2);
  CHECK(theirs.empty());
}

ASYNC_TEST_CASE("keys: the first key of an hour stays, a lane has one ratchet", "[store][keys]") {
  Keys keys;
  co_await keys.add(kOurs, kPayload, 10, "first");
  const auto second =
      must(co_await keys.store.add_hour_key(kOurs, {.lane = kPayload, .hour = 10, .key = {1, bytes_of("second")}}));
  CHECK(second.wrapped == bytes_of("first"));
  NewHourKey twice{.lane = kPayload, .hour = 11, .key = {1, bytes_of("x")}};
  twice.first = Ratchet{kOurs, kPayload, 11, bytes_of("another")};
  const auto refused = co_await keys.store.add_hour_key(kOurs, twice);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::conflict);
  const auto early = co_await keys.store.add_hour_key(kOurs, {.lane = kPayload, .hour = 9, .key = {1, bytes_of("x")}});
  REQUIRE(!early);
  CHECK(early.error().code == Errc::conflict);
  const auto foreign = must(co_await keys.store.hour_key(kTheirs, kPayload, 10)),
             other = must(co_await keys.store.hour_key(kOurs, kLogs, 10));
  CHECK(!foreign);
  CHECK(!other);
}

ASYNC_TEST_CASE("keys: a turn moves all ratchets and removes the keys before them, or changes nothing",
                "[store][keys]") {
  Keys keys;
  for (Hour hour = 10; hour < 14; ++hour) co_await keys.add(kOurs, kPayload, hour, "key");
  co_await keys.add(kTheirs, kPayload, 10, "key");
  auto lanes = must(co_await keys.store.lanes());
  REQUIRE(lanes.size() == 2);
  CHECK(lanes[0].oldest == 10);

  Turn turn{.from = 0, .to = 1, .ratchets = {{kOurs, kPayload, 12, bytes_of("r12")}}};
  const auto incomplete = co_await keys.store.turn(turn);
  REQUIRE(!incomplete);
  CHECK(incomplete.error().code == Errc::conflict);
  turn.ratchets.push_back({kTheirs, kPayload, 10, bytes_of("r10")});
  turn.from = 5;
  const auto stale = co_await keys.store.turn(turn);
  CHECK_FALSE(stale);
  auto kept = must(co_await keys.store.hour_key(kOurs, kPayload, 10));
  CHECK(kept);

  turn.from = 0;
  must(co_await keys.store.turn(turn));
  const auto epoch = must(co_await keys.store.epoch());
  CHECK(epoch == 1);
  for (Hour hour = 10; hour < 14; ++hour) {
    kept = must(co_await keys.store.hour_key(kOurs, kPayload, hour));
    CHECK(kept.has_value() == (hour >= 12));
  }
  kept = must(co_await keys.store.hour_key(kTheirs, kPayload, 10));
  CHECK(kept);
  const auto moved = must(co_await keys.store.ratchet(kOurs, kPayload));
  REQUIRE(moved);
  CHECK(moved->position == 12);
  CHECK(moved->sealed == bytes_of("r12"));
  NewHourKey late{.lane = kLogs, .hour = 12, .key = {1, bytes_of("x")}};
  late.first = Ratchet{kOurs, kLogs, 12, bytes_of("sealed under the old anchor")};
  late.epoch = 0;
  const auto outdated = co_await keys.store.add_hour_key(kOurs, late);
  CHECK_FALSE(outdated);
  late.epoch = 1;
  const auto current = co_await keys.store.add_hour_key(kOurs, late);
  CHECK(current);
}
