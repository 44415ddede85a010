#include "tests/unit/relay/keys/world.h"

#include "shared/async/task_group.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

#define KEYS_TEST_CASE(...) SP_KEYS_TEST_(INTERNAL_CATCH_UNIQUE_NAME(keys_test_), __VA_ARGS__)
#define SP_KEYS_TEST_(function, ...)                            \
  static awaitable<void> function(KeysWorld& world);            \
  ASYNC_TEST_CASE(__VA_ARGS__) {                                \
    KeysWorld world(co_await boost::asio::this_coro::executor); \
    co_await function(world);                                   \
  }                                                             \
  static awaitable<void> function(KeysWorld& world)

namespace {

const RecordIdentity kStanding{OrgId("org_a"), "issuing_cas", "private_key", "org_a"};

}  // namespace

KEYS_TEST_CASE("what each class of key sealed opens again, also after a restart", "[keys][hierarchy]") {
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  const RecordIdentity standing{org, "issuing_cas", "private_key", org.value};
  const RecordIdentity transient{org, "idempotency_keys", "response", "k", KeyClass::transient};
  const auto a = must(co_await world.ring.envelope.seal(standing, as_bytes("standing")));
  const auto b = must(co_await world.ring.envelope.seal(transient, as_bytes("transient")));

  const auto all_open = [&](LayeredEnvelope& envelope) -> awaitable<void> {
    const auto first = must(co_await envelope.open(standing, a));
    CHECK(first.reveal() == "standing");
    const auto second = must(co_await envelope.open(transient, b));
    CHECK(second.reveal() == "transient");
  };
  co_await all_open(world.ring.envelope);
  const auto data = co_await world.read(job), words = co_await world.words(job);
  CHECK(data == "data of " + job.job.value);
  CHECK(words == "words of " + job.job.value);

  KeyRing again(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
                &world.provider);
  co_await all_open(again.envelope);
}

KEYS_TEST_CASE("keys are asked for once by however many, and again when their time is over", "[keys][hierarchy]") {
  const auto org = co_await world.settle("ours");
  must(co_await world.ring.hierarchy.tenant(org));
  world.clock.pass(kKeyLife);
  world.provider.calls = 0;
  int got = 0;
  TaskGroup asking(co_await boost::asio::this_coro::executor, [](const auto&, auto) { FAIL_CHECK("a fault"); });
  const auto ask = [&]() -> awaitable<void> {
    must(co_await world.ring.hierarchy.tenant(org));
    ++got;
  };
  for (int i = 0; i < 50; ++i) asking.spawn("ask", ask());
  co_await asking.join();
  CHECK(got == 50);
  CHECK(world.provider.calls == 1);
  must(co_await world.ring.hierarchy.tenant(org));
  CHECK(world.provider.calls == 1);
  world.clock.pass(kKeyLife);
  must(co_await world.ring.hierarchy.tenant(org));
  CHECK(world.provider.calls == 2);
}

KEYS_TEST_CASE(
    "key_revoked: nothing is read or written after 300 s, whatever was read last, and all when it is restored",
    "[keys][hierarchy]") {
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  world.clock.pass(200s);
  auto data = co_await world.read(job);
  CHECK(data.starts_with("data of"));
  world.provider.broken = GENERATE(Errc::forbidden, Errc::not_found, Errc::invalid, Errc::timed_out);
  world.clock.pass(kKeyLife - 200s - 1s);
  data = co_await world.read(job);  // the keys below were had later, and live no longer than the one at the top
  CHECK(data.starts_with("data of"));
  world.clock.pass(1s);
  data = co_await world.read(job);
  CHECK(data == "unavailable");  // never what makes a caller give up the record
  const auto sealed = co_await world.ring.envelope.seal(kStanding, as_bytes("x"));
  REQUIRE(!sealed);
  CHECK(sealed.error().code == Errc::unavailable);
  world.ring.hierarchy.sweep();
  CHECK(world.ring.memory->used() == 1);  // the anchor's: no other key is left in memory

  world.provider.broken.reset();
  world.clock.pass(kFailureLife);
  data = co_await world.read(job);
  CHECK(data.starts_with("data of"));
}

KEYS_TEST_CASE("a provider that is down is not asked by everybody at once", "[keys][hierarchy]") {
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  world.clock.pass(kKeyLife);
  world.provider.broken = Errc::unavailable;
  world.provider.calls = 0;
  for (int i = 0; i < 20; ++i) {
    const auto data = co_await world.read(job);
    CHECK(data == "unavailable");
  }
  CHECK(world.provider.calls == 1);
  world.clock.pass(kFailureLife);
  co_await world.read(job);
  CHECK(world.provider.calls == 2);
}

KEYS_TEST_CASE("a key of another deployment's master is refused, and so is a foreign keys.db", "[keys][hierarchy]") {
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  auto stranger = must(FileProvider::make(world.folder / "master.key", Secret::take(std::string(32, 'x'))));
  KeyRing mistaken(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
                   &stranger);
  const RecordIdentity identity{org, "jobs", "trigger", job.job.value, KeyClass::payload, job.job};
  const auto refused = co_await mistaken.envelope.open(identity, job.trigger);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(refused.error().message.find("is it the one that belongs to keys.db?") != std::string::npos);
  CHECK(refused.error().message.find("keys rewrap") != std::string::npos);

  const TempDir elsewhere;
  KeyRing foreign(co_await boost::asio::this_coro::executor, elsewhere.path(), world.clock, world.stores.job_keys);
  const auto lost = co_await foreign.envelope.open(identity, job.trigger);
  REQUIRE(!lost);
  CHECK(lost.error().code == Errc::not_found);
}

KEYS_TEST_CASE("an anchor and a keys.db of different moments are refused", "[keys][anchor]") {
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org, {.payload = 1h, .logs = 1h});
  co_await world.finish(job);
  const TempDir kept;
  std::filesystem::copy(world.folder / "anchor", kept / "anchor");
  world.clock.pass(2h);
  const auto tally = co_await world.shred();
  CHECK(tally.hours == 2);
  CHECK(world.ring.anchor.epoch() == 1);
  const auto refused = Anchor::open(kept / "anchor", *world.ring.memory, 1);
  REQUIRE(!refused);
  CHECK(refused.error().message.find("not of the same moment") != std::string::npos);
  CHECK(Anchor::open(world.folder / "anchor", *world.ring.memory, 1));
  CHECK(!Anchor::open(world.folder / "anchor", *world.ring.memory, 0));
}
