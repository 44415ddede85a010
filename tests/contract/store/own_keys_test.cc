#include "relay/store/sqlite/sqlite_key_store.h"
#include "tests/contract/store/world.h"
#include "tests/support/temp_dir.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::store;

// Attachments of organisations' own keys.
namespace {

const OrgId kOurs("org_ours"), kTheirs("org_theirs");

struct Keys {
  TempDir folder;
  std::unique_ptr<SqliteKeyStore> engine = must(SqliteKeyStore::open({.file = folder / "keys.db"}));
  KeyStore& store() { return engine->keys(); }

  boost::asio::awaitable<void> begin(OrgId org) {
    must(co_await store().add_tenant_key(std::move(org), version(1, 0, "first")));
  }
  void reopen() {
    engine.reset();
    engine = must(SqliteKeyStore::open({.file = folder / "keys.db"}));
  }
  static KeyVersion version(std::uint32_t number, std::uint32_t own, std::string wrapped) {
    KeyVersion key{.version = number, .under = 1, .wrapped = bytes_of(wrapped), .created_at = at_ms(number)};
    key.own = own;
    return key;
  }
  static OwnKey own(std::uint32_t version, std::string place = "{}") {
    return {.version = version,
            .kind = "vault",
            .place = std::move(place),
            .credentials = bytes_of("sealed"),
            .wrapped = bytes_of("wrapped"),
            .attached_at = at_ms(version)};
  }
};

}  // namespace

ASYNC_TEST_CASE("own keys: one is attached, replaced and detached, and no version comes again", "[store][keys][own]") {
  Keys keys;
  co_await keys.begin(kOurs);
  auto last = must(co_await keys.store().last_own_key(kOurs));
  CHECK(last == 0);
  OwnKeyChange change{.from = 0,
                      .to = Keys::own(1, R"({"key":"k"})"),
                      .keys = {Keys::version(1, 1, "under both"), Keys::version(2, 1, "new")},
                      .known = 1};
  must(co_await keys.store().change_own_key(kOurs, change));
  keys.reopen();
  auto stands = must(co_await keys.store().own_key(kOurs));
  REQUIRE(stands);
  CHECK(stands->version == 1);
  CHECK(stands->kind == "vault");
  CHECK(stands->place == R"({"key":"k"})");
  CHECK(stands->credentials == bytes_of("sealed"));
  CHECK(stands->wrapped == bytes_of("wrapped"));
  CHECK(stands->attached_at == at_ms(1));
  CHECK(!stands->refused_since);
  auto versions = must(co_await keys.store().tenant_keys(kOurs));
  REQUIRE(versions.size() == 2);
  CHECK(versions[0].own == 1);
  CHECK(versions[0].wrapped == bytes_of("under both"));
  CHECK(versions[1].own == 1);

  must(co_await keys.store().note_own_key(kOurs, 1, at_ms(5), "refused"));
  must(co_await keys.store().change_own_key(
      kOurs, {.from = 1,
              .to = Keys::own(2),
              .keys = {Keys::version(1, 2, "a"), Keys::version(2, 2, "b"), Keys::version(3, 2, "c")},
              .known = 2}));
  stands = must(co_await keys.store().own_key(kOurs));
  REQUIRE(stands);
  CHECK(stands->version == 2);
  CHECK(!stands->refused_since);  // that was of the one before
  CHECK(stands->reason.empty());

  must(co_await keys.store().change_own_key(
      kOurs, {.from = 2,
              .to = std::nullopt,
              .keys = {Keys::version(1, 0, "a"), Keys::version(2, 0, "b"), Keys::version(3, 0, "c")},
              .known = 3}));
  stands = must(co_await keys.store().own_key(kOurs));
  CHECK(!stands);
  const auto all = must(co_await keys.store().own_keys());
  CHECK(all.empty());
  last = must(co_await keys.store().last_own_key(kOurs));
  CHECK(last == 2);
  versions = must(co_await keys.store().tenant_keys(kOurs));
  for (const auto& version : versions) CHECK(version.own == 0);
}

ASYNC_TEST_CASE("own keys: what is under one that is gone is given up, and no version comes again",
                "[store][keys][own]") {
  Keys keys;
  co_await keys.begin(kOurs);
  co_await keys.begin(kTheirs);
  const auto add_hour = [&](OrgId org, Hour hour) -> boost::asio::awaitable<void> {
    const RetentionLane lane{"payload", 24};
    const auto there = must(co_await keys.store().ratchet(org, lane));
    NewHourKey fresh{.lane = lane, .hour = hour, .key = {.under = 1, .wrapped = bytes_of("hour")}};
    if (!there) fresh.first = Ratchet{org, lane, 100, bytes_of("sealed")};
    must(co_await keys.store().add_hour_key(org, std::move(fresh)));
  };
  must(co_await keys.store().change_own_key(
      kOurs,
      {.from = 0, .to = Keys::own(1), .keys = {Keys::version(1, 1, "a"), Keys::version(2, 1, "b")}, .known = 1}));
  for (const Hour hour : {100, 107}) co_await add_hour(kOurs, hour);
  co_await add_hour(kTheirs, 107);

  OwnKeyChange change{.from = 1, .to = {}, .keys = {Keys::version(3, 0, "c")}, .known = 1, .gives_up = true};
  const auto conflict = co_await keys.store().change_own_key(kOurs, change);
  REQUIRE_FALSE(conflict);
  CHECK(conflict.error().code == Errc::conflict);
  CHECK(must(co_await keys.store().given_up(kOurs)) == 0);
  change.known = 2;
  must(co_await keys.store().change_own_key(kOurs, change));
  keys.reopen();
  const auto versions = must(co_await keys.store().tenant_keys(kOurs));
  REQUIRE(versions.size() == 1);
  CHECK(versions[0].version == 3);
  CHECK(versions[0].own == 0);
  CHECK(must(co_await keys.store().given_up(kOurs)) == 2);
  CHECK(must(co_await keys.store().last_own_key(kOurs)) == 1);
  CHECK_FALSE(must(co_await keys.store().own_key(kOurs)));
  CHECK(must(co_await keys.store().hour_key(kOurs, {"payload", 24}, 107))->under == 1);  // which nothing opens
  CHECK(must(co_await keys.store().given_up(kTheirs)) == 0);
}

ASYNC_TEST_CASE("an hour whose key was lost in a restore gets none again, until its lane has passed it",
                "[store][keys]") {
  Keys keys;
  co_await keys.begin(kOurs);
  const RetentionLane lane{"payload", 24};
  const auto add = [&](Hour hour) -> boost::asio::awaitable<Result<HourKey>> {
    const auto there = must(co_await keys.store().ratchet(kOurs, lane));
    NewHourKey fresh{.lane = lane, .hour = hour, .key = {.under = 1, .wrapped = bytes_of("hour")}};
    if (!there) fresh.first = Ratchet{kOurs, lane, 100, bytes_of("sealed")}, fresh.epoch = 3;
    co_return co_await keys.store().add_hour_key(kOurs, std::move(fresh));
  };
  must(co_await keys.engine->begin_lanes_anew(3));
  must(co_await add(100));
  must(co_await keys.engine->begin_lanes_anew(3));  // hour 100 had one
  must(co_await keys.engine->give_up({}, {{kOurs, lane, 102}}));
  for (const Hour lost : {100, 102}) {
    const auto refused = co_await add(lost);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::not_found);
  }
  must(co_await add(101));
  must(co_await add(103));
  const auto lanes = must(co_await keys.store().lanes());
  REQUIRE(lanes.size() == 1);
  CHECK(lanes[0].oldest == 100);  // so that its time is looked after
  must(co_await keys.store().turn({.from = 3, .to = 4, .ratchets = {{kOurs, lane, 103, bytes_of("anew")}}}));
  CHECK(must(co_await keys.store().lanes())[0].oldest == 103);
}

ASYNC_TEST_CASE("keys.db keeps what a restore gave up until it is told", "[store][keys]") {
  Keys keys;
  must(co_await keys.engine->add_restore_notes({{0, OrgId(), "{\"a\":1}"}, {0, kOurs, "{}"}}));
  keys.reopen();
  const auto notes = must(co_await keys.store().restore_notes());
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].org == OrgId());
  CHECK(notes[0].detail == "{\"a\":1}");
  must(co_await keys.store().drop_restore_note(notes[0].id));
  const auto left = must(co_await keys.store().restore_notes());
  REQUIRE(left.size() == 1);
  CHECK(left[0].org == kOurs);
}

ASYNC_TEST_CASE("own keys: a change from what does not stand is a conflict and changes nothing", "[store][keys][own]") {
  Keys keys;
  co_await keys.begin(kOurs);
  const OwnKeyChange attach{.from = 0, .to = Keys::own(1), .keys = {Keys::version(1, 1, "both")}, .known = 1};
  const auto is_refused = [&](OwnKeyChange change) -> boost::asio::awaitable<bool> {
    const auto before = must(co_await keys.store().tenant_keys(kOurs));
    const auto changed = co_await keys.store().change_own_key(kOurs, std::move(change));
    const auto after = must(co_await keys.store().tenant_keys(kOurs));
    bool same = before.size() == after.size();
    for (std::size_t i = 0; same && i < before.size(); ++i) same = before[i].wrapped == after[i].wrapped;
    co_return !changed && changed.error().code == Errc::conflict && same;
  };
  auto wrong = attach;
  wrong.from = 1;
  bool refused = co_await is_refused(wrong);
  CHECK(refused);
  wrong = attach;
  wrong.known = 2;  // another version came meanwhile, or went
  refused = co_await is_refused(wrong);
  CHECK(refused);
  must(co_await keys.store().change_own_key(kOurs, attach));
  refused = co_await is_refused(attach);  // attached twice at the same moment
  CHECK(refused);
  wrong = {.from = 2, .to = std::nullopt, .keys = {Keys::version(1, 0, "alone")}, .known = 1};
  refused = co_await is_refused(wrong);
  CHECK(refused);
  wrong.from = 1;
  must(co_await keys.store().change_own_key(kOurs, wrong));  // positive control
}

ASYNC_TEST_CASE("own keys: each organisation has its own, whatever becomes of another's", "[store][keys][own]") {
  Keys keys;
  for (const auto& org : {kOurs, kTheirs}) {
    co_await keys.begin(org);
    must(co_await keys.store().change_own_key(
        org, {.from = 0, .to = Keys::own(1, org.value), .keys = {Keys::version(1, 1, org.value)}, .known = 1}));
  }
  must(co_await keys.store().note_own_key(kOurs, 1, at_ms(7), "it is disabled"));
  must(co_await keys.store().note_own_key(kTheirs, 9, at_ms(8), "of one that is not attached"));
  auto all = must(co_await keys.store().own_keys());
  REQUIRE(all.size() == 2);
  for (const auto& one : all) {
    CHECK(one.key.place == one.org.value);
    CHECK(one.key.refused_since.has_value() == (one.org == kOurs));
    CHECK(one.key.reason == (one.org == kOurs ? "it is disabled" : ""));
  }
  must(co_await keys.store().note_own_key(kOurs, 1, std::nullopt, ""));
  auto ours = must(co_await keys.store().own_key(kOurs));
  CHECK(!ours->refused_since);
  must(co_await keys.store().change_own_key(
      kOurs, {.from = 1, .to = std::nullopt, .keys = {Keys::version(1, 0, "alone")}, .known = 1}));
  const auto theirs = must(co_await keys.store().own_key(kTheirs));
  REQUIRE(theirs);
  CHECK(theirs->place == kTheirs.value);
  const auto versions = must(co_await keys.store().tenant_keys(kTheirs));
  REQUIRE(versions.size() == 1);
  CHECK(versions[0].own == 1);
  const auto never = must(co_await keys.store().own_key(OrgId("org_never")));
  CHECK(!never);
}
