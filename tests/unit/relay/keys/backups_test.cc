#include "relay/keys/backups.h"

#include "relay/keys/own_keys.h"
#include "shared/async/task_group.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include <sys/stat.h>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const WallTime kNoon = WallTime(std::chrono::hours(490'020));

// Backups of a world's keys, in a folder beside them.
struct BackedUp : KeysWorld {
  explicit BackedUp(const asio::any_io_executor& executor) : KeysWorld(executor), on(executor) {
    fs::create_directory(shelf);
    fs::permissions(shelf, fs::perms::owner_all);
  }
  std::vector<Backup> there() const {
    std::vector<Backup> found;
    for (const auto& file : fs::directory_iterator(shelf)) {
      if (file.path().filename().string().starts_with("keys.db.new")) continue;  // one that is being made
      const auto one = parse_backup_name(file.path().filename().string());
      INFO(file.path());
      REQUIRE(one);
      found.push_back(*one);
    }
    std::ranges::sort(found);
    return found;
  }

  asio::any_io_executor on;
  fs::path shelf = folder / "backups";
  Metrics metrics;
  std::optional<WallTime> believed = clock.wall();
  Backups backups{on,
                  {ring.store->copies(), clock, log, metrics, [this] { return believed; }},
                  {.folder = shelf, .keep = std::chrono::days(7), .every = 10ms}};
};

}  // namespace

TEST_CASE("a backup's name tells its epoch and time, and no other name is one", "[keys][backup]") {
  const Backup backup{12, kNoon};
  CHECK(parse_backup_name(backup_name(backup)) == backup);
  for (const auto* other :
       {"", "keys.db", "keys-.db", "keys-12.db", "keys-12-.db", "keys-x-2026-01-31T09.30.00.123Z.db",
        "keys-012-2026-01-31T09.30.00.123Z.db", "keys-12-2026-01-31T09:30:00.123Z.db",
        "keys-12-2026-01-31T09.30.00.123Z.db.new", "keys-12-2026-01-31T09.30.00.123Z.db-wal",
        "keys-99999999999999999999999-2026-01-31T09.30.00.123Z.db"}) {
    INFO(other);
    CHECK_FALSE(parse_backup_name(other));
  }
}

TEST_CASE("the newest backup is kept for good, one more and the last of each day for their time", "[keys][backup]") {
  std::vector<Backup> all;
  for (int hour = 0; hour < 24 * 10; ++hour) all.push_back({static_cast<std::uint64_t>(hour), kNoon + hour * 1h});
  const auto now = all.back().at;
  const auto gone = superfluous(all, now, std::chrono::days(7));
  CHECK(all.size() - gone.size() == 2 + 7);  // two of the newest, and the last of the seven days before
  CHECK(std::ranges::find(gone, all.back()) == gone.end());
  CHECK(std::ranges::none_of(gone, [&](const auto& one) { return one == all[all.size() - 2]; }));
  CHECK(superfluous({all.back()}, now + 1000h, 1h).empty());
  CHECK(superfluous({all[0], all[1]}, now + 1000h, 1h) == std::vector{all[0]});
  const Backup from_a_wrong_clock{3, now + std::chrono::days(365)};
  CHECK(superfluous({from_a_wrong_clock, all.back()}, now, std::chrono::days(7)) == std::vector{from_a_wrong_clock});
}

ASYNC_TEST_CASE("a backup is whole, private, without a log, and holds no anchor", "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  const auto job = co_await world.start(co_await world.settle("ours"));
  const auto made = must(co_await world.backups.make());
  const auto file = world.shelf / backup_name(made);
  CHECK(made.epoch == 0);
  CHECK(world.there() == std::vector{made});
  struct stat facts{};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);

  auto memory = must(LockedMemory::make());
  CHECK(must(Anchor::look(world.folder / "anchor", *memory)).size() == 1);
  CHECK(must(Anchor::look(file, *memory)).empty());
  const TempDir elsewhere;
  fs::copy(file, elsewhere / "keys.db");
  fs::copy(world.folder / "anchor", elsewhere / "anchor");
  KeyRing restored(co_await asio::this_coro::executor, elsewhere.path(), world.clock, world.stores.job_keys,
                   &world.provider);
  const auto data = must(co_await restored.envelope.open(
      {job.org, "jobs", "trigger", job.job.value, KeyClass::payload, job.job}, job.trigger));
  CHECK(data.reveal() == "data of " + job.job.value);
}

ASYNC_TEST_CASE(
    "while the relay runs a backup follows what is written, and comes in each turn before the old anchor goes",
    "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  TaskGroup running(world.on, [](const auto& task, const auto& why) { FAIL(task << ": " << why); });
  running.spawn("backups", world.backups.run());
  std::size_t slots_then = 0;
  std::uint64_t epoch_then = 0;
  Hierarchy keys(world.on, {world.ring.store->keys(),
                            world.provider,
                            world.ring.anchor,
                            *world.ring.memory,
                            world.clock,
                            {},
                            [&]() -> awaitable<void> {
                              const bool made = co_await world.backups.catch_up();
                              CHECK(made);
                              slots_then = must(Anchor::look(world.folder / "anchor", *world.ring.memory)).size();
                              epoch_then = world.there().back().epoch;
                            }});
  must(co_await keys.shred({}));
  CHECK(slots_then == 2);
  CHECK(epoch_then == 1);
  CHECK(must(Anchor::look(world.folder / "anchor", *world.ring.memory)).size() == 1);

  const auto before = world.there().back();
  must(co_await world.ring.hierarchy.rotate_tenant(org));
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  Event pause(world.on);
  while (world.there().back() == before && std::chrono::steady_clock::now() < deadline)
    co_await pause.wait_until(std::chrono::steady_clock::now() + 5ms);
  CHECK(world.there().back() > before);
  bool rests = false;  // one may still follow what the turn left to be written
  while (!rests && std::chrono::steady_clock::now() < deadline) {
    const auto last = world.there().back();
    co_await pause.wait_until(std::chrono::steady_clock::now() + 100ms);
    rests = world.there().back() == last;
  }
  CHECK(rests);  // nothing was written since
  running.stop();
  co_await running.join();
}

ASYNC_TEST_CASE("what was erased is in no backup once they were renewed", "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  co_await world.settle("ours");
  for (int i = 0; i < 3; ++i) {
    must(co_await world.backups.make());
    world.believed = *world.believed + 24h;
  }
  CHECK(world.there().size() == 3);
  const bool made_idly = co_await world.backups.catch_up();
  CHECK_FALSE(made_idly);
  const auto idle = co_await world.backups.renew();
  CHECK_FALSE(idle);  // nobody makes one
  const auto made = must(co_await world.backups.make());
  CHECK(world.there() == std::vector{made});
  must(co_await world.backups.end_before(made.epoch));
  CHECK(world.there() == std::vector{made});
  const auto older = co_await world.backups.end_before(made.epoch + 1);
  CHECK_FALSE(older);  // nobody makes one
  const auto again = must(co_await world.backups.make());
  CHECK(world.there() == std::vector{again});
  CHECK(again > made);
}

namespace {

// Lets something happen while the first copy is made.
class InterruptedCopies final : public store::KeyCopies {
 public:
  InterruptedCopies(store::KeyCopies& real, std::function<awaitable<void>()> meanwhile)
      : real_(real), meanwhile_(std::move(meanwhile)) {}
  awaitable<Result<std::uint64_t>> copy_to(fs::path file) override {
    auto made = co_await real_.copy_to(std::move(file));
    if (meanwhile_) co_await std::exchange(meanwhile_, nullptr)();
    co_return made;
  }
  awaitable<Result<std::int64_t>> version() override { return real_.version(); }
  awaitable<Result<void>> discard(fs::path file) override { return real_.discard(std::move(file)); }

 private:
  store::KeyCopies& real_;
  std::function<awaitable<void>()> meanwhile_;
};

}  // namespace

ASYNC_TEST_CASE("a copy that began before the erasure is not taken for one after it", "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  co_await world.settle("ours");
  Result<void> renewed;
  Backups* backups = nullptr;
  InterruptedCopies copies(world.ring.store->copies(),
                           [&]() -> awaitable<void> { renewed = co_await backups->renew(); });
  Backups slow(world.on, {copies, world.clock, world.log, world.metrics, [&] { return world.believed; }},
               {.folder = world.shelf, .keep = std::chrono::days(7), .every = 10ms});
  backups = &slow;
  must(co_await slow.make());
  CHECK_FALSE(renewed);
  const auto made = must(co_await slow.make());
  CHECK(world.there() == std::vector{made});
}

ASYNC_TEST_CASE("the newest backup has a standing change of keys before anybody is told of it", "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  const bool planted = GENERATE(false, true);  // positive control: without the hook it is not in it
  TaskGroup running(world.on, [](const auto& task, const auto& why) { FAIL(task << ": " << why); });
  Backups backups(world.on,
                  {world.ring.store->copies(), world.clock, world.log, world.metrics, [&] { return world.believed; }},
                  {.folder = world.shelf, .keep = std::chrono::days(7), .every = 1h});
  running.spawn("backups", backups.run());
  Event pause(world.on);
  while (!co_await backups.catch_up()) co_await pause.wait_until(std::chrono::steady_clock::now() + 1ms);
  auto hook = [&]() -> awaitable<void> { co_await backups.catch_up(); };
  Hierarchy keys(world.on, {.store = world.ring.store->keys(),
                            .provider = world.provider,
                            .anchor = world.ring.anchor,
                            .memory = *world.ring.memory,
                            .clock = world.clock,
                            .after_change = planted ? nullptr : std::function<awaitable<void>()>(hook)});
  TestPlaces places;
  OwnKeys own(world.on, {world.ring.store->keys(), keys, places, world.clock, world.log, world.metrics});
  const OrgId org("org_ours");
  const auto is_in_newest = [&](auto holds) -> awaitable<bool> {
    const TempDir elsewhere;
    fs::copy(world.shelf / backup_name(world.there().back()), elsewhere / "keys.db");
    const auto copy = must(store::SqliteKeyStore::open({.file = elsewhere / "keys.db"}));
    co_return co_await holds(copy->keys());
  };
  const auto versions = [&](std::size_t wanted) {
    return is_in_newest([&, wanted](store::KeyStore& copy) -> awaitable<bool> {
      co_return must(co_await copy.tenant_keys(org)).size() == wanted;
    });
  };
  const auto attached = [&](bool wanted) {
    return is_in_newest([&, wanted](store::KeyStore& copy) -> awaitable<bool> {
      co_return must(co_await copy.own_key(org)).has_value() == wanted;
    });
  };
  std::vector<bool> there;
  must(co_await keys.tenant(org));
  there.push_back(co_await versions(1));
  must(co_await keys.rotate_tenant(org));
  there.push_back(co_await versions(2));
  must(co_await keys.rotate_global());
  there.push_back(co_await is_in_newest(
      [](store::KeyStore& copy) -> awaitable<bool> { co_return must(co_await copy.global_keys()).size() == 2; }));
  must(co_await own.attach(org, {"file", {{Value("name"), Value("one")}}, {}}));
  there.push_back(co_await attached(true));
  must(co_await own.detach(org));
  there.push_back(co_await versions(4) && co_await attached(false));
  CHECK(std::ranges::all_of(there, std::identity()) == !planted);
  running.stop();
  co_await running.join();
}

ASYNC_TEST_CASE("a folder that others get into, or that is gone, takes no backup, and the turn goes on",
                "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  const auto job = co_await world.start(co_await world.settle("ours"));
  fs::permissions(world.shelf, fs::perms::group_read, fs::perm_options::add);
  const auto open = co_await world.backups.make();
  REQUIRE_FALSE(open);
  CHECK(open.error().message.find("chmod 700") != std::string::npos);
  fs::remove(world.shelf);
  const auto absent = co_await world.backups.make();
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::not_found);

  TaskGroup running(world.on, [](const auto& task, const auto& why) { FAIL(task << ": " << why); });
  running.spawn("backups", world.backups.run());
  Hierarchy keys(world.on, {world.ring.store->keys(),
                            world.provider,
                            world.ring.anchor,
                            *world.ring.memory,
                            world.clock,
                            {},
                            [&]() -> awaitable<void> {
                              const bool made = co_await world.backups.catch_up();
                              CHECK_FALSE(made);
                            }});
  must(co_await keys.shred({}));
  CHECK(world.ring.anchor.epoch() == 1);
  CHECK(world.lines.find("keys.backup_failed") != std::string::npos);
  const auto data = co_await world.read(job);
  CHECK(data == "data of " + job.job.value);
  running.stop();
  co_await running.join();
}

ASYNC_TEST_CASE("a backup that was cut short is made anew, and one of a relay whose clock went back is not the newest",
                "[keys][backup]") {
  BackedUp world(co_await asio::this_coro::executor);
  {
    std::ofstream(world.shelf / "keys.db.new") << "half";
  }
  const auto first = must(co_await world.backups.make());
  world.believed = *world.believed - 48h;
  const auto second = must(co_await world.backups.make());
  CHECK(second > first);
  CHECK(world.there() == std::vector{second});  // the first is from days ahead
}
