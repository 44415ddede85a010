#include "relay/keys/own_keys.h"
#include "tests/support/failing_vfs.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include <algorithm>
#include <set>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;

// A relay is killed at each write of attaching, replacing and detaching an organisation's own key, and of making a new
// version of its key: in keys.db and in relay.db, which says what keys.db must hold.
namespace {

const OrgId kOrg("org_ours");

struct Silence final : LogSink {
  void write(std::string_view) override {}
};

OwnKeyOrder order_of(std::string name) { return {"file", {{Value("name"), Value(std::move(name))}}, {}}; }

// What one process makes of a folder of keys.
struct Process {
  Process(const asio::any_io_executor& on, const std::filesystem::path& folder, const std::string& vfs = {})
      : provider(folder / "master.key"),
        store(must(store::SqliteKeyStore::open({.file = folder / "keys.db", .vfs = vfs}))),
        anchor(must(Anchor::open(folder / "anchor", *memory, store->epoch_at_open()))),
        database(must(store::SqliteStore::open({.file = folder / "relay.db", .vfs = vfs}))),
        stores(database->stores()),
        hierarchy(on, {.store = store->keys(),
                       .provider = provider,
                       .anchor = anchor,
                       .memory = *memory,
                       .clock = clock,
                       .witnesses = &stores.key_witnesses}),
        own(on, {store->keys(), hierarchy, places, clock, log, metrics}) {}

  awaitable<void> begin() {
    must(co_await own.load());
    co_await own.look();
  }
  // "" when it cannot be had.
  awaitable<std::string> tenant_key(std::uint32_t version) {
    const auto key = co_await hierarchy.tenant(kOrg, version);
    co_return key ? std::string(as_text(key->key->bytes())) : std::string();
  }

  MovedClock clock;
  BreakableProvider provider;
  std::unique_ptr<LockedMemory> memory = must(LockedMemory::make());
  std::unique_ptr<store::SqliteKeyStore> store;
  Anchor anchor;
  std::unique_ptr<store::SqliteStore> database;
  store::Stores stores;
  Hierarchy hierarchy;
  TestPlaces places;
  Silence silence;
  Log log{silence, clock, LogLevel::error};
  Metrics metrics;
  OwnKeys own;
};

enum class Change { attach, replace, detach, rotate };

awaitable<Result<void>> change_key(Process& in, Change change) {
  if (change == Change::detach) co_return co_await in.own.detach(kOrg);
  if (change == Change::rotate) {
    SP_CO_CHECK(co_await in.hierarchy.rotate_tenant(kOrg));
    SP_CO_CHECK(co_await in.hierarchy.tenant(kOrg));  // which is its first use
    co_return Result<void>();
  }
  co_return co_await in.own.attach(kOrg, order_of(change == Change::attach ? "one" : "two"));
}

// Keys as they are before the change; the organisation's first key.
awaitable<std::string> prepare(asio::any_io_executor on, const std::filesystem::path& folder, Change change) {
  must(Anchor::make(folder / "anchor"));
  {
    const auto store = must(store::SqliteKeyStore::open({.file = folder / "keys.db"}));
    BreakableProvider provider(folder / "master.key");
    must(co_await Hierarchy::found(store->keys(), provider, MovedClock()));
  }
  Process first(on, folder);
  const auto made = must(co_await first.hierarchy.tenant(kOrg));
  if (change == Change::replace || change == Change::detach) must(co_await first.own.attach(kOrg, order_of("one")));
  co_return std::string(as_text(made.key->bytes()));
}

// Whether nothing is read of the organisation when keys.db is put back as it was before the change.
awaitable<bool> misses_older(asio::any_io_executor on, const std::filesystem::path& folder,
                             const std::filesystem::path& before) {
  const TempDir older;
  for (const auto* name : {"relay.db", "relay.db-wal"}) {
    if (std::filesystem::exists(folder / name)) std::filesystem::copy(folder / name, older / name);
  }
  for (const auto* name : {"keys.db", "keys.db-wal", "anchor"}) {
    if (std::filesystem::exists(before / name)) std::filesystem::copy(before / name, older / name);
  }
  Process mistaken(on, older.path());
  co_await mistaken.begin();
  const bool has_none = (co_await mistaken.tenant_key(0)).empty();
  co_return has_none;
}

// `act` in a process that dies at its first write, then at its second, and so on until none is left; then `look` at
// what the next process finds in that folder.
template <class Act, class Look>
awaitable<void> die_at_every_write(asio::any_io_executor on, const std::filesystem::path& before, Act act, Look look) {
  bool died = true;
  for (std::uint64_t operation = 1; died; ++operation) {
    INFO("killed at write " << operation);
    REQUIRE(operation < 200);
    const TempDir folder;
    std::filesystem::copy(before, folder.path(),
                          std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
    FailingVfs vfs;
    {
      Process killed(on, folder.path(), vfs.name());
      const auto done = co_await act(killed, [&] { vfs.fail_at(operation, FailingVfs::Kind::crash); });
      died = vfs.has_failed();
      CHECK((done || died));
    }
    vfs.heal();
    Process next(on, folder.path());
    co_await look(next, folder.path());
  }
}

}  // namespace

ASYNC_TEST_CASE("a relay that dies at any write of a change of an organisation's own key leaves all of it readable",
                "[keys][own][crash]") {
  const auto change = GENERATE(Change::attach, Change::replace, Change::detach, Change::rotate);
  INFO("change " << static_cast<int>(change));
  const auto on = co_await asio::this_coro::executor;
  const TempDir before;
  const auto key = co_await prepare(on, before.path(), change);
  const std::size_t versions_before = change == Change::replace || change == Change::detach ? 2 : 1;
  std::set<std::uint32_t> stood;
  std::size_t missed = 0, stood_then = 0;
  const auto act = [&](Process& killed, auto arm) -> awaitable<Result<void>> {
    co_await killed.begin();
    arm();
    co_return co_await change_key(killed, change);
  };
  co_await die_at_every_write(on, before.path(), act, [&](Process& next, const auto& folder) -> awaitable<void> {
    co_await next.begin();
    const auto first = co_await next.tenant_key(1), newest = co_await next.tenant_key(0);
    CHECK(first == key);
    CHECK(!newest.empty());
    const auto attached = must(co_await next.store->keys().own_key(kOrg));
    const auto versions = must(co_await next.store->keys().tenant_keys(kOrg));
    stood.insert(change == Change::rotate ? versions.back().version : attached ? attached->version : 0);
    stood_then += versions.size() > versions_before ? 1 : 0;
    CHECK(next.own.usable(kOrg));  // whatever was said last of what must stand
    const auto witness = must(co_await next.stores.key_witnesses.find(kOrg));
    CHECK(witness.attached.version == (attached ? attached->version : 0));
    CHECK(witness.version == versions.back().version);
    missed += co_await misses_older(on, folder, before.path()) ? 1 : 0;
    auto again = co_await change_key(next, change);  // what was cut short can be done
    CHECK((again || again.error().code == Errc::not_found));
    const auto after = co_await next.tenant_key(1);
    CHECK(after == key);
  });
  CHECK(stood.size() == 2);  // some died before the change stood, and some after
  CHECK(stood_then > 0);
  CHECK(missed == stood_then);  // keys.db as it was before is noticed whenever the change stood, and only then

  // Positive control: an organisation whose key is gone is told apart.
  if (change == Change::attach || change == Change::rotate) co_return;
  Process blind(on, before.path());
  blind.places.kept.at("one").broken = Errc::forbidden;
  co_await blind.begin();
  const auto nothing = co_await blind.tenant_key(1);
  CHECK(nothing.empty());
}

ASYNC_TEST_CASE("a relay that dies while what is under a key that is gone is given up has done so or can do it again",
                "[keys][own][crash]") {
  const auto on = co_await asio::this_coro::executor;
  const TempDir before;
  co_await prepare(on, before.path(), Change::detach);
  std::set<bool> given_up;
  const auto act = [](Process& killed, auto arm) -> awaitable<Result<void>> {
    killed.places.kept.at("one").broken = Errc::forbidden;
    co_await killed.begin();
    REQUIRE_FALSE(killed.own.usable(kOrg));
    arm();
    co_return co_await killed.own.detach(kOrg, OwnKeys::Detach::without_it);
  };
  co_await die_at_every_write(on, before.path(), act, [&](Process& next, const auto&) -> awaitable<void> {
    next.places.kept.at("one").broken = Errc::forbidden;
    co_await next.begin();
    const bool usable = next.own.usable(kOrg);
    given_up.insert(usable);
    const auto stands = must(co_await next.store->keys().own_key(kOrg));
    CHECK(usable == !stands);
    const auto witness = must(co_await next.stores.key_witnesses.find(kOrg));
    CHECK(witness.attached.version == (stands ? stands->version : 0));
    if (!usable) must(co_await next.own.detach(kOrg, OwnKeys::Detach::without_it));
    const auto newest = must(co_await next.hierarchy.tenant(kOrg));
    CHECK(newest.version > 2);
    CHECK((co_await next.tenant_key(1)).empty());
  });
  CHECK(given_up.size() == 2);  // some died before, and some after
}

ASYNC_TEST_CASE("a relay that dies while a key that is missing is detached never goes on under an older one",
                "[keys][own][crash]") {
  const auto on = co_await asio::this_coro::executor;
  const TempDir before, older;
  co_await prepare(on, before.path(), Change::replace);
  std::filesystem::copy(before.path(), older.path(),
                        std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
  std::uint32_t newest = 0;
  {
    Process replaces(on, before.path());
    co_await replaces.begin();
    must(co_await replaces.own.attach(kOrg, order_of("two")));
    newest = must(co_await replaces.hierarchy.tenant(kOrg)).version;
  }
  for (const auto* name : {"keys.db", "keys.db-wal", "keys.db-shm"}) {
    std::filesystem::remove(before / name);
    if (std::filesystem::exists(older / name)) std::filesystem::copy(older / name, before / name);
  }
  {
    const auto store = must(store::SqliteKeyStore::open({.file = before / "keys.db"}));
    must(co_await store->give_up({{kOrg, newest}}));
  }
  std::set<bool> refused;
  const auto act = [](Process& killed, auto arm) -> awaitable<Result<void>> {
    co_await killed.begin();
    REQUIRE_FALSE(killed.own.usable(kOrg));
    arm();
    co_return co_await killed.own.detach(kOrg);
  };
  co_await die_at_every_write(on, before.path(), act, [&](Process& next, const auto&) -> awaitable<void> {
    co_await next.begin();
    const bool usable = next.own.usable(kOrg);
    refused.insert(!usable);
    const auto key = co_await next.tenant_key(0);
    CHECK(key.empty() == !usable);
    const auto stands = must(co_await next.store->keys().own_key(kOrg));
    CHECK_FALSE((usable && stands));
    if (!usable) must(co_await next.own.detach(kOrg));
    CHECK_FALSE((co_await next.tenant_key(0)).empty());
  });
  CHECK(refused.size() == 2);  // some died before it was detached, and some after
}
