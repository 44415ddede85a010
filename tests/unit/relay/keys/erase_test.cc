#include "tests/unit/relay/keys/world.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;

ASYNC_TEST_CASE("the keys of an organisation go with a turn of the anchor, and it gets none again", "[keys][erasure]") {
  KeysWorld world(co_await asio::this_coro::executor);
  const auto gone = co_await world.settle("gone");
  const auto stays = co_await world.settle("stays");
  const auto job = co_await world.start(gone);
  const auto other = co_await world.start(stays);
  const RecordIdentity standing{gone, "connections", "detail", "a/b"};
  const auto sealed = must(co_await world.ring.envelope.seal(standing, as_bytes("detail")));
  REQUIRE((co_await world.read(job)).starts_with("data"));  // control, and its keys are in memory now
  auto& keys = world.ring.hierarchy;
  const auto epoch = world.ring.anchor.epoch();
  const auto erased = must(co_await keys.erase(gone));
  CHECK(erased.versions == 1);
  CHECK(erased.lanes >= 2);
  CHECK(erased.hours >= 2);
  CHECK(erased.epoch_before == epoch);
  CHECK(erased.epoch_after == epoch + 1);
  CHECK(world.ring.anchor.epoch() == epoch + 1);
  CHECK(!(co_await world.read(job)).starts_with("data"));
  CHECK(!(co_await world.words(job)).starts_with("words"));
  CHECK(!co_await world.ring.envelope.open(standing, sealed));
  const auto sealed_again = co_await world.ring.envelope.seal(standing, as_bytes("again"));
  REQUIRE_FALSE(sealed_again);
  CHECK(sealed_again.error().code == Errc::forbidden);  // not lost: nobody is sent to restore it
  CHECK(!co_await world.ring.envelope.make_job_keys(gone, JobId("job_new"), {}));
  const auto rotated = co_await keys.rotate_tenant(gone);
  REQUIRE_FALSE(rotated);
  CHECK(rotated.error().code == Errc::forbidden);
  CHECK((co_await world.read(other)).starts_with("data"));
  const auto again = must(co_await keys.erase(gone));  // as after a crash
  CHECK(again.hours == erased.hours);
  CHECK(world.ring.anchor.epoch() == epoch + 1);
  CHECK(must(co_await world.ring.store->keys().tenant_keys(gone)).empty());
  CHECK(must(co_await world.ring.store->keys().lanes_of(gone)).empty());
  CHECK_FALSE(must(co_await world.ring.store->keys().lanes_of(stays)).empty());
}

ASYNC_TEST_CASE("an erasure is not done while the anchor before it lies on the disk", "[keys][erasure]") {
  KeysWorld world(co_await asio::this_coro::executor);
  const auto gone = co_await world.settle("gone");
  co_await world.start(gone);
  const auto anchor = world.folder / "anchor", away = world.folder / "away";
  Hierarchy keys(co_await asio::this_coro::executor, {world.ring.store->keys(),
                                                      world.provider,
                                                      world.ring.anchor,
                                                      *world.ring.memory,
                                                      world.clock,
                                                      {},
                                                      [&]() -> awaitable<void> {
                                                        std::filesystem::rename(
                                                            anchor, away);  // planted: it cannot be overwritten
                                                        co_return;
                                                      }});
  for (int tries = 0; tries < 2; ++tries) {
    const auto erased = co_await keys.erase(gone);
    CHECK_FALSE(erased);
    CHECK_FALSE(co_await keys.settled());
  }
  std::filesystem::rename(away, anchor);
  CHECK(must(Anchor::look(anchor, *world.ring.memory)).size() == 2);  // control: it was still there
  must(co_await keys.erase(gone));
  must(co_await keys.settled());
  CHECK(must(Anchor::look(anchor, *world.ring.memory)).size() == 1);
}

ASYNC_TEST_CASE("an old copy of keys.db is worthless for an erased organisation's jobs", "[keys][erasure]") {
  KeysWorld world(co_await asio::this_coro::executor);
  const auto gone = co_await world.settle("gone");
  const auto job = co_await world.start(gone);
  const auto old = world.folder / "old";
  std::filesystem::create_directory(old);
  const auto copy = [&](const std::filesystem::path& to) {
    for (const char* name : {"keys.db", "keys.db-wal", "anchor"}) {
      if (std::filesystem::exists(world.folder / name))
        std::filesystem::copy_file(world.folder / name, to / name, std::filesystem::copy_options::overwrite_existing);
    }
  };
  copy(old);
  must(co_await world.ring.hierarchy.erase(gone));
  std::filesystem::copy(old, world.folder / "control", std::filesystem::copy_options::recursive);
  // With the anchor of the same moment the copy opens it: the control. With today's anchor nothing opens.
  KeyRing control(co_await asio::this_coro::executor, world.folder / "control", world.clock, world.stores.job_keys,
                  &world.provider);
  const auto read = [&](KeyRing& ring) -> awaitable<bool> {
    const auto opened =
        co_await ring.envelope.open({gone, "jobs", "trigger", job.job.value, KeyClass::payload, job.job}, job.trigger);
    if (!opened) UNSCOPED_INFO(opened.error().message);
    co_return opened.has_value();
  };
  CHECK(co_await read(control));
  std::filesystem::copy_file(world.folder / "anchor", old / "anchor",
                             std::filesystem::copy_options::overwrite_existing);
  auto memory = must(LockedMemory::make());
  auto store = must(store::SqliteKeyStore::open({.file = old / "keys.db"}));
  CHECK(!Anchor::open(old / "anchor", *memory, store->epoch_at_open()));
}
