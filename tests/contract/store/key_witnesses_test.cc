#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/key_census.h"
#include "relay/store/sqlite/sqlite_key_store.h"
#include "tests/contract/store/world.h"
#include "tests/support/temp_dir.h"

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::store;

namespace {

WitnessedAttachment attachment(std::uint32_t version) {
  return {.version = version, .kind = "vault", .attached_at = at_ms(version)};
}

}  // namespace

STORE_TEST_CASE("key witnesses: a version that was used never goes back, and each organisation has its own",
                "[store][keys]") {
  auto& witnesses = world.stores.key_witnesses;
  auto ours = must(co_await witnesses.find(world.ours.org));
  CHECK(ours == KeyWitness{});
  must(co_await witnesses.use_version(world.ours.org, 3));
  must(co_await witnesses.use_version(world.ours.org, 2));
  must(co_await witnesses.use_version(OrgId(), 7));  // of the global key
  ours = must(co_await witnesses.find(world.ours.org));
  CHECK(ours == KeyWitness{.version = 3});
  const auto theirs = must(co_await witnesses.find(world.theirs.org));
  CHECK(theirs == KeyWitness{});
  const auto global = must(co_await witnesses.find(OrgId()));
  CHECK(global.version == 7);
}

STORE_TEST_CASE("key witnesses: an attachment stands until another does or none, and its version is remembered",
                "[store][keys][own]") {
  auto& witnesses = world.stores.key_witnesses;
  const auto org = world.ours.org;
  must(co_await witnesses.use_version(org, 2));
  must(co_await witnesses.set_attached(org, attachment(1)));
  must(co_await witnesses.note_missing(org, 1, at_ms(50)));
  must(co_await witnesses.note_missing(org, 2, at_ms(60)));  // of one that does not stand
  auto all = must(co_await witnesses.attached());
  REQUIRE(all.size() == 1);
  CHECK(all[0].org == org);
  CHECK(all[0].witness.version == 2);
  CHECK(all[0].witness.attached.kind == "vault");
  CHECK(all[0].witness.attached.attached_at == at_ms(1));
  CHECK(all[0].witness.attached.missing_since == at_ms(50));

  must(co_await witnesses.set_attached(org, attachment(2)));
  auto now = must(co_await witnesses.find(org));
  CHECK(now == KeyWitness{.version = 2, .attached = attachment(2), .last_attached = 2});  // and it is not missing
  must(co_await witnesses.set_attached(org, {}));
  now = must(co_await witnesses.find(org));
  CHECK(now == KeyWitness{.version = 2, .attached = {}, .last_attached = 2});
  all = must(co_await witnesses.attached());
  CHECK(all.empty());
  const auto theirs = must(co_await witnesses.find(world.theirs.org));
  CHECK(theirs == KeyWitness{});
}

TEST_CASE("key witnesses are read beside a relay that is stopped, and of an older relay.db there are none",
          "[store][keys]") {
  const TempDir folder;
  const auto file = folder / "relay.db";
  run([](std::filesystem::path at) -> awaitable<void> {
    const auto engine = must(SqliteStore::open({.file = at}));
    must(co_await engine->stores().key_witnesses.use_version(OrgId("org_ours"), 4));
  }(file));
  const auto all = must(read_key_witnesses(file));
  REQUIRE(all.size() == 1);
  CHECK(all[0].org == OrgId("org_ours"));
  CHECK(all[0].witness.version == 4);
  must(must(sqlite::Database::open(file, sqlite::Access::read_write)).script("drop table key_witnesses"));
  CHECK(must(read_key_witnesses(file)).empty());
  CHECK_FALSE(read_key_witnesses(folder / "absent.db"));
}

ASYNC_TEST_CASE("keys: versions that are given up are known, each organisation's for itself", "[store][keys]") {
  const TempDir folder;
  const auto keys = must(SqliteKeyStore::open({.file = folder / "keys.db"}));
  must(co_await keys->give_up({{OrgId("org_ours"), 3}, {OrgId(), 2}}));
  must(co_await keys->give_up({{OrgId("org_ours"), 1}}));
  const auto ours = must(co_await keys->keys().given_up(OrgId("org_ours")));
  const auto theirs = must(co_await keys->keys().given_up(OrgId("org_theirs")));
  const auto global = must(co_await keys->keys().given_up(OrgId()));
  CHECK(ours == 3);
  CHECK(theirs == 0);
  CHECK(global == 2);
}
