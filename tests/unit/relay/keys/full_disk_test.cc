#include "relay/keys/custodian.h"
#include "shared/async/task_group.h"
#include "tests/support/failing_vfs.h"
#include "tests/unit/relay/keys/world.h"

#include <algorithm>

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;
using store::Hour;
using store::RetentionLane;

namespace {

const RetentionLane kLane{"payload", 2};
const OrgId kOurs("org_ours"), kTheirs("org_theirs");
constexpr Hour kOld = 490'000, kLive = kOld + 1;

// Keys on a disk that is full at a moment of a test's choice.
class Disk {
 public:
  explicit Disk(asio::any_io_executor on) : on_(std::move(on)) {}

  awaitable<void> begin() {
    must(Anchor::make(folder_ / "anchor"));
    open();
    must(co_await Hierarchy::found(store_->keys(), provider_, clock_));
    for (const auto& org : {kOurs, kTheirs}) {
      for (const auto hour : {kOld, kLive}) {
        const auto key = must(co_await hierarchy->hour_for_writing(org, kLane, hour));
        const auto bytes = key.key.key->bytes();
        known_[{org, hour}].assign(bytes.begin(), bytes.end());
      }
    }
    co_await settle();
  }
  // As a new process would find it.
  void open() {
    hierarchy.reset();
    anchor_.reset();
    store_.reset();
    store_ = must(store::SqliteKeyStore::open({.file = folder_ / "keys.db", .vfs = vfs.name()}));
    anchor_.emplace(must(Anchor::open(folder_ / "anchor", *memory_, store_->epoch_at_open())));
    forget();
  }
  void forget() {  // what is in memory
    hierarchy.emplace(on_, Hierarchy::Parts{store_->keys(), provider_, *anchor_, *memory_, clock_});
  }
  // Until the thread that writes is done with what followed the last write.
  awaitable<void> settle() {
    const auto absent = co_await store_->keys().rewrap_global_key(99, {});
    CHECK_FALSE(absent);
  }
  awaitable<bool> has(OrgId org, Hour hour) {
    const auto key = co_await hierarchy->hour(org, kLane, hour);
    co_return key&& std::ranges::equal(key->key->bytes(), known_.at({org, hour}));
  }
  store::KeyStore& keys() { return store_->keys(); }

 private:
  asio::any_io_executor on_;
  TempDir folder_;
  MovedClock clock_;
  std::unique_ptr<LockedMemory> memory_ = must(LockedMemory::make());
  FileProvider provider_ = must(FileProvider::make(folder_ / "master.key", KeyRing::fixed_key()));

 public:
  FailingVfs vfs;

 private:
  std::unique_ptr<store::SqliteKeyStore> store_;
  std::optional<Anchor> anchor_;
  std::map<std::pair<OrgId, Hour>, Bytes> known_;

 public:
  std::optional<Hierarchy> hierarchy;  // goes before what it rests on
};

// Counts what it is asked, and makes room when there is some to make.
class CountedReserve final : public Reserve {
 public:
  explicit CountedReserve(std::function<bool()> release) : release_(std::move(release)) {}
  bool release() override { return ++released, release_(); }
  void refill() override { ++refilled; }
  int released = 0, refilled = 0;

 private:
  std::function<bool()> release_;
};

}  // namespace

ASYNC_TEST_CASE("a disk that is full anywhere in a turn of the anchor costs no key, and the turn is made later",
                "[keys][disk]") {
  int failed = 0;
  for (std::uint64_t operation = 1;; ++operation) {
    INFO("the disk is full at operation " << operation);
    Disk disk(co_await asio::this_coro::executor);
    co_await disk.begin();
    disk.vfs.fail_at(operation, FailingVfs::Kind::full_disk);
    const auto shred = [&] { return disk.hierarchy->shred({{kOurs, kLane, kLive}}); };
    const auto full = co_await shred();
    co_await disk.settle();
    const bool has_failed = disk.vfs.has_failed();
    disk.vfs.heal();
    if (!full) {
      ++failed;
      CHECK(full.error().message.find("disk space") != std::string::npos);
    }
    const bool restarted = operation % 2 == 0;
    restarted ? disk.open() : disk.forget();
    const bool live = co_await disk.has(kOurs, kLive), theirs = co_await disk.has(kTheirs, kOld);
    CHECK(live);
    CHECK(theirs);
    must(co_await shred());
    disk.open();
    const bool gone = co_await disk.has(kOurs, kOld), still = co_await disk.has(kOurs, kLive),
               others = co_await disk.has(kTheirs, kOld);
    CHECK_FALSE(gone);
    CHECK(still);
    CHECK(others);
    if (!has_failed) break;
  }
  CHECK(failed > 2);
}

ASYNC_TEST_CASE("a disk that is full anywhere in a rotation costs no key, and the rotation goes on", "[keys][disk]") {
  int failed = 0;
  for (std::uint64_t operation = 1;; ++operation) {
    INFO("the disk is full at operation " << operation);
    Disk disk(co_await asio::this_coro::executor);
    co_await disk.begin();
    disk.vfs.fail_at(operation, FailingVfs::Kind::full_disk);
    const auto global = co_await disk.hierarchy->rotate_global();
    const auto tenant = co_await disk.hierarchy->rotate_tenant(kOurs);
    const auto wrapped = co_await disk.hierarchy->rewrap_tenants(10);
    co_await disk.settle();
    failed += !global + !tenant + !wrapped;
    const bool has_failed = disk.vfs.has_failed();
    disk.vfs.heal();
    operation % 2 == 0 ? disk.open() : disk.forget();
    must(co_await disk.hierarchy->rewrap_tenants(10));
    const auto newest = must(co_await disk.keys().global_keys()).back().version;
    const auto waiting = must(co_await disk.keys().tenant_keys_before(newest, 10));
    CHECK(waiting.empty());
    disk.open();
    for (const auto& org : {kOurs, kTheirs}) {
      for (const auto hour : {kOld, kLive}) {
        const bool there = co_await disk.has(org, hour);
        CHECK(there);
      }
    }
    if (!has_failed) break;
  }
  CHECK(failed > 2);
}

ASYNC_TEST_CASE("what is held back is released when shredding fails, and then it shreds at once", "[keys][disk]") {
  const bool is_full = GENERATE(true, false);
  KeysWorld world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org, {.payload = 2h, .logs = 2h});
  world.clock.pass(1h);  // so that its key has to move, for which the provider is needed
  world.clock.pass(3h);
  CountedReserve reserve([&] {
    if (is_full) world.provider.broken.reset();
    world.clock.pass(kFailureLife);
    return is_full;
  });
  Shredder shredder({world.ring.store->keys(),
                     world.stores.job_keys,
                     world.ring.hierarchy,
                     world.clock,
                     world.log,
                     world.metrics,
                     [&] { return std::optional(world.clock.wall()); },
                     {},
                     &reserve});
  world.ring.hierarchy.sweep();
  world.provider.broken = Errc::unavailable;
  TaskGroup running(co_await asio::this_coro::executor, [](const auto& task, auto) { FAIL(task); });
  running.spawn("shredder", shredder.run());
  Event pause(co_await asio::this_coro::executor);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (world.lines.find("keys.") == std::string::npos && std::chrono::steady_clock::now() < deadline)
    co_await pause.wait_until(std::chrono::steady_clock::now() + 5ms);
  running.stop();
  co_await running.join();
  CHECK(reserve.released == 1);
  CHECK(reserve.refilled == (is_full ? 1 : 0));
  CHECK((world.lines.find("keys.not_shredded") == std::string::npos) == is_full);
  world.provider.broken.reset();
}
