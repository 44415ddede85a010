#include "relay/keys/own_keys.h"
#include "tests/support/failing_vfs.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include <algorithm>
#include <set>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;

// A relay is killed at each write of attaching, replacing and detaching an organisation's own key.
namespace {

const OrgId kOrg("org_ours");

struct Silence final : LogSink {
  void write(std::string_view) override {}
};

OwnKeyOrder order_of(std::string name) { return {"file", {{Value("name"), Value(std::move(name))}}, {}}; }

// What one process makes of a folder of keys.
struct Process {
  Process(const asio::any_io_executor& on, const std::filesystem::path& folder, std::string vfs = {})
      : provider(folder / "master.key"),
        store(must(store::SqliteKeyStore::open({.file = folder / "keys.db", .vfs = std::move(vfs)}))),
        anchor(must(Anchor::open(folder / "anchor", *memory, store->epoch_at_open()))),
        hierarchy(on, {store->keys(), provider, anchor, *memory, clock}),
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
  Hierarchy hierarchy;
  TestPlaces places;
  Silence silence;
  Log log{silence, clock, LogLevel::error};
  Metrics metrics;
  OwnKeys own;
};

enum class Change { attach, replace, detach };

awaitable<Result<void>> change_key(Process& in, Change change) {
  if (change == Change::detach) return in.own.detach(kOrg);
  return in.own.attach(kOrg, order_of(change == Change::attach ? "one" : "two"));
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
  if (change != Change::attach) must(co_await first.own.attach(kOrg, order_of("one")));
  co_return std::string(as_text(made.key->bytes()));
}

}  // namespace

ASYNC_TEST_CASE("a relay that dies at any write of a change of an organisation's own key leaves all of it readable",
                "[keys][own][crash]") {
  const auto change = GENERATE(Change::attach, Change::replace, Change::detach);
  INFO("change " << static_cast<int>(change));
  const auto on = co_await asio::this_coro::executor;
  const TempDir before;
  const auto key = co_await prepare(on, before.path(), change);
  std::set<std::uint32_t> stood;
  bool died = true;
  for (std::uint64_t operation = 1; died; ++operation) {
    INFO("killed at write " << operation);
    REQUIRE(operation < 200);
    const TempDir folder;
    std::filesystem::copy(before.path(), folder.path(),
                          std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
    FailingVfs vfs;
    {
      Process killed(on, folder.path(), vfs.name());
      co_await killed.begin();
      vfs.fail_at(operation, FailingVfs::Kind::crash);
      const auto changed = co_await change_key(killed, change);
      died = vfs.has_failed();
      CHECK((changed || died));
    }
    vfs.heal();
    Process next(on, folder.path());
    co_await next.begin();
    const auto first = co_await next.tenant_key(1), newest = co_await next.tenant_key(0);
    CHECK(first == key);
    CHECK(!newest.empty());
    const auto attached = must(co_await next.store->keys().own_key(kOrg));
    stood.insert(attached ? attached->version : 0);
    auto again = co_await change_key(next, change);  // what was cut short can be done
    CHECK((again || again.error().code == Errc::not_found));
    const auto after = co_await next.tenant_key(1);
    CHECK(after == key);
  }
  CHECK(stood.size() == 2);  // some died before the change stood, and some after

  // Positive control: an organisation whose key is gone is told apart.
  if (change == Change::attach) co_return;
  Process blind(on, before.path());
  blind.places.kept.at("one").broken = Errc::forbidden;
  co_await blind.begin();
  const auto nothing = co_await blind.tenant_key(1);
  CHECK(nothing.empty());
}
