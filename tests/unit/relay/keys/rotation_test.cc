#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

#include "relay/keys/custodian.h"
#include "shared/async/task_group.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

struct Rotating : KeysWorld {
  explicit Rotating(const asio::any_io_executor& loop) : KeysWorld(loop), executor(loop) {}
  asio::any_io_executor executor;
  TestPlaces places;
  OwnKeys own{executor, {ring.store->keys(), ring.hierarchy, places, clock, log, metrics}};
  Custodian custodian{executor,
                      {ring.store->keys(), provider, ring.hierarchy, own,
                       [this] { return std::optional(clock.wall()); }, log, metrics}};
};

}  // namespace

ASYNC_TEST_CASE("what was sealed before a rotation opens after it, what is sealed after it is under the new keys",
                "[keys][rotate]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const RecordIdentity standing{org, "issuing_cas", "private_key", org.value};
  const auto before = must(co_await world.ring.envelope.seal(standing, as_bytes("before")));
  const auto job = co_await world.start(org);
  const auto global = must(co_await world.ring.hierarchy.rotate_global());
  const auto tenant = must(co_await world.ring.hierarchy.rotate_tenant(org));
  CHECK(global == 2);
  CHECK(tenant == 2);
  const auto after = must(co_await world.ring.envelope.seal(standing, as_bytes("after")));
  CHECK(before[5] == std::byte{1});  // version of the global key
  CHECK(before[9] == std::byte{1});  // version of the organisation's
  CHECK(after[5] == std::byte{2});
  CHECK(after[9] == std::byte{2});
  const auto old = must(co_await world.ring.envelope.open(standing, before));
  CHECK(old.reveal() == "before");
  const auto fresh = must(co_await world.ring.envelope.open(standing, after));
  CHECK(fresh.reveal() == "after");
  const auto data = co_await world.read(job);
  CHECK(data.starts_with("data of"));
  const auto next = co_await world.start(org);
  const auto of_next = co_await world.read(next);
  CHECK(of_next.starts_with("data of"));
}

ASYNC_TEST_CASE("organisations' keys come under the newest global key, a batch at a time, whatever cuts it short",
                "[keys][rotate]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  std::vector<KeptJob> jobs;
  jobs.reserve(7);
  for (int i = 0; i < 7; ++i) jobs.push_back(co_await world.start(co_await world.settle("o" + std::to_string(i))));
  must(co_await world.custodian.rotate_deployment());
  auto facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.waiting == 7);
  CHECK(facts.versions.size() == 2);
  const auto first = must(co_await world.ring.hierarchy.rewrap_tenants(3));
  CHECK(first.keys == 3);
  // Another process goes on, as after a kill.
  KeyRing again(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
                &world.provider);
  auto rest = must(co_await again.hierarchy.rewrap_tenants(100));
  CHECK(rest.keys == 4);
  rest = must(co_await again.hierarchy.rewrap_tenants(100));
  CHECK(rest.keys == 0);
  facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.waiting == 0);
  world.clock.pass(kKeyLife);
  for (const auto& job : jobs) {
    const auto data = co_await world.read(job);
    CHECK(data.starts_with("data of"));
  }
}

ASYNC_TEST_CASE("an organisation's key that is damaged keeps no other from the newest global key", "[keys][rotate]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  std::vector<OrgId> orgs;
  orgs.reserve(3);
  for (int i = 0; i < 3; ++i) orgs.push_back(co_await world.settle("o" + std::to_string(i)));
  std::ranges::sort(orgs);
  for (const auto& org : orgs) co_await world.start(org);
  auto& store = world.ring.store->keys();
  auto damaged = must(co_await store.tenant_keys(orgs.front())).front();
  damaged.wrapped.back() ^= std::byte{1};
  must(co_await store.rewrap_tenant_key({orgs.front(), damaged}, damaged.under));
  must(co_await world.custodian.rotate_deployment());
  must(co_await world.custodian.look());
  CHECK(must(co_await world.custodian.of_deployment()).waiting == 1);
  CHECK(world.lines.find("keys.not_rewrapped") != std::string::npos);
  for (const auto& org : {orgs[1], orgs[2]}) {
    const auto versions = must(co_await store.tenant_keys(org));
    CHECK(versions.front().under == 2);
  }
}

ASYNC_TEST_CASE("a rotation wakes who wraps keys anew", "[keys][rotate]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  co_await world.start(org);
  TaskGroup work(world.executor, [](const std::string&, const std::string& why) { FAIL(why); });
  work.spawn("custodian", world.custodian.run());
  const auto end = std::chrono::steady_clock::now() + 30s;
  const auto in_time = [end] { return std::chrono::steady_clock::now() < end; };
  while (world.metrics.prometheus().find("sallyport_global_key_age_days 0") == std::string::npos && in_time())
    must(co_await world.custodian.of_deployment());
  for (int i = 0; i < 10; ++i) must(co_await world.custodian.of_deployment());  // its look is over: it found nothing
  must(co_await world.custodian.rotate_deployment());
  std::size_t waiting = 1;
  while (waiting > 0 && in_time()) waiting = must(co_await world.custodian.of_deployment()).waiting;
  CHECK(waiting == 0);  // by itself it would have looked a minute later
  CHECK(must(co_await world.ring.store->keys().tenant_keys(org)).front().under == 2);
  work.stop();
  co_await work.join();
}

ASYNC_TEST_CASE("the global key is told of at 335 days and made anew at 365", "[keys][rotate]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  co_await world.settle("ours");
  must(co_await world.custodian.look());
  CHECK(world.lines.find("keys.rotation_due") == std::string::npos);
  world.clock.pass(kGlobalKeyAlarm - 1s);
  must(co_await world.custodian.look());
  CHECK(world.lines.find("keys.rotation_due") == std::string::npos);
  world.clock.pass(1s);
  must(co_await world.custodian.look());
  CHECK(world.lines.find("keys.rotation_due") != std::string::npos);
  CHECK(world.metrics.prometheus().find("sallyport_global_key_age_days 335") != std::string::npos);
  auto facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.versions.size() == 1);
  world.clock.pass(kGlobalKeyLife - kGlobalKeyAlarm);
  must(co_await world.custodian.look());
  facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.versions.size() == 2);
  must(co_await world.custodian.look());
  facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.versions.size() == 2);
}

ASYNC_TEST_CASE("a clock that is ahead makes no key old, and one that nobody confirms makes none young",
                "[keys][rotate][clock]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  TestPlaces places;
  OwnKeys own(co_await boost::asio::this_coro::executor,
              {world.ring.store->keys(), world.ring.hierarchy, places, world.clock, world.log, world.metrics});
  Custodian custodian(co_await boost::asio::this_coro::executor,
                      {world.ring.store->keys(), world.provider, world.ring.hierarchy, own,
                       [&] { return std::optional(world.true_time()); }, world.log, world.metrics});
  world.clock.jump = 2 * kGlobalKeyLife;
  must(co_await custodian.look());
  must(co_await custodian.rotate_deployment());
  auto facts = must(co_await custodian.of_deployment());
  REQUIRE(facts.versions.size() == 2);
  CHECK(facts.versions.back().created_at <= world.true_time());
  must(co_await world.ring.store->keys().add_global_key(
      {.version = 3,
       .under = 0,
       .wrapped = Bytes(8),
       .created_at = world.clock.wall()}));  // as one of a restored store
  must(co_await custodian.look());
  facts = must(co_await custodian.of_deployment());
  CHECK(facts.versions.size() == 4);
}

ASYNC_TEST_CASE("the deployment's keys move to another master key, also in two tries", "[keys][rotate]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  const auto job = co_await world.start(co_await world.settle("ours"));
  must(co_await world.custodian.rotate_deployment());
  auto next = must(FileProvider::make(world.folder / "next.key", Secret::take(std::string(32, 'n'))));
  const auto versions = must(co_await world.ring.store->keys().global_keys());
  auto plain = must(co_await world.provider.unwrap("global/1", versions[0].wrapped));
  auto moved = must(co_await next.wrap("global/1", std::move(plain)));
  must(co_await world.ring.store->keys().rewrap_global_key(1, std::move(moved)));  // the first try came this far
  const auto count = must(co_await world.ring.hierarchy.rewrap_globals(next));
  CHECK(count == 2);
  KeyRing again(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
                &next);
  const RecordIdentity identity{job.org, "jobs", "trigger", job.job.value, KeyClass::payload, job.job};
  const auto data = must(co_await again.envelope.open(identity, job.trigger));
  CHECK(data.reveal().starts_with("data of"));
  world.clock.pass(kKeyLife);
  const auto by_old = co_await world.read(job);
  CHECK(by_old == "unavailable");
}

ASYNC_TEST_CASE("whoever is told of keys is told whether they can be had, the operator also why not", "[keys]") {
  Rotating world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  co_await world.start(org);
  CHECK_FALSE(must(co_await world.custodian.of_organisation(org)).unavailable);
  CHECK_FALSE(must(co_await world.custodian.of_deployment()).unavailable);
  world.provider.broken = Errc::unavailable;
  CHECK_FALSE(must(co_await world.custodian.of_deployment()).unavailable);  // what is in memory serves
  world.clock.pass(kKeyLife);
  CHECK(must(co_await world.custodian.of_organisation(org)).unavailable);
  CHECK_FALSE(must(co_await world.custodian.of_organisation(OrgId("org_none"))).unavailable);  // it has no key
  CHECK(must(co_await world.custodian.of_deployment()).unavailable == "planted: the key at the top cannot be had");
  world.provider.broken = std::nullopt;
  world.clock.pass(kFailureLife);
  CHECK_FALSE(must(co_await world.custodian.of_organisation(org)).unavailable);
  CHECK_FALSE(must(co_await world.custodian.of_deployment()).unavailable);
}
