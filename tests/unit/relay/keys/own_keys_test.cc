#include "tests/unit/relay/keys/attaching.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("an attached key protects what was sealed before and after, and both parents are needed",
                "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto before = co_await world.start(org);
  must(co_await world.own->attach(org, order_of("one", "a word")));
  const auto after = co_await world.start(org);
  for (const auto& job : {before, after}) {
    const auto data = co_await world.read(job);
    CHECK(reads(data));
  }
  const auto versions = must(co_await world.ring.store->keys().tenant_keys(org));
  REQUIRE(versions.size() == 2);  // the second was never under the global key alone
  CHECK(versions[0].own == 1);
  CHECK(versions[1].own == 1);

  // A process that does not have the organisation's key reads nothing of it, whatever else it has.
  KeyRing again(world.executor_, world.folder.path(), world.clock, world.stores.job_keys, &world.provider);
  const RecordIdentity identity{org, "jobs", "trigger", before.job.value, KeyClass::payload, before.job};
  const auto closed = co_await again.envelope.open(identity, before.trigger);
  REQUIRE(!closed);
  CHECK(closed.error().code == Errc::unavailable);
  OwnKeys later(world.executor_, world.parts(again));
  must(co_await later.load());
  co_await later.look();
  CHECK(world.places.words.back() == "a word");  // as it was stored
  world.clock.pass(kFailureLife);
  const auto opened = must(co_await again.envelope.open(identity, before.trigger));
  CHECK(reads(std::string(opened.reveal())));
}

ASYNC_TEST_CASE("a key that does not prove itself is not attached, and nothing changes", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  const auto is_refused = [&](OwnKeyOrder order, std::string_view why) -> awaitable<void> {
    const auto refused = co_await world.own->attach(org, std::move(order));
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::invalid);
    INFO(refused.error().message);
    CHECK(refused.error().message.find(why) != std::string::npos);
    CHECK(refused.error().message.find("nothing was changed") != std::string::npos);
    CHECK(!world.own->facts(org));
  };
  co_await is_refused(order_of("none"), "no key of this name");
  world.places.kept.at("one").broken = Errc::forbidden;
  co_await is_refused(order_of("one"), "planted");
  world.places.kept.at("one") = {.forgetful = true};
  co_await is_refused(order_of("one"), "does not give back");
  const auto versions = must(co_await world.ring.store->keys().tenant_keys(org));
  CHECK(versions.size() == 1);
  world.clock.pass(kKeyLife);
  const auto data = co_await world.read(job);
  CHECK(reads(data));
}

ASYNC_TEST_CASE("the global key and the organisation's own rotate; who is refused waits and keeps nobody waiting",
                "[keys][own][rotate]") {
  Attaching world(co_await asio::this_coro::executor);
  std::vector<KeptJob> jobs;
  for (int i = 0; i < 5; ++i) jobs.push_back(co_await world.start(co_await world.settle("o" + std::to_string(i))));
  must(co_await world.own->attach(jobs[1].org, order_of("one")));
  must(co_await world.own->attach(jobs[2].org, order_of("two")));
  must(co_await world.ring.hierarchy.rotate_tenant(jobs[2].org));
  world.places.kept.at("one").broken = Errc::forbidden;
  world.clock.pass(kKeyLife);
  co_await world.own->look();
  must(co_await world.custodian.rotate_deployment());
  store::TenantKeyPlace next;
  std::size_t rewrapped = 0;
  for (bool more = true; more;) {
    auto done = must(co_await world.ring.hierarchy.rewrap_tenants(2, next));
    rewrapped += done.keys;
    more = done.next.has_value();
    if (more) next = *done.next;
  }
  CHECK(rewrapped == 3 + 3);
  auto facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.waiting == 2);
  const auto refused = co_await world.ring.hierarchy.rotate_tenant(jobs[1].org);
  CHECK(!refused);

  world.places.kept.at("one").broken.reset();
  world.clock.pass(kRefusedAgain);
  co_await world.own->look();
  must(co_await world.custodian.look());
  facts = must(co_await world.custodian.of_deployment());
  CHECK(facts.waiting == 0);
  world.clock.pass(kKeyLife);
  co_await world.own->look();
  for (const auto& job : jobs) {
    const auto data = co_await world.read(job);
    CHECK(reads(data));
  }
  const auto is_told = [&](const std::string& fields) {
    return world.lines.find("\"keys.rotated\"," + fields) != std::string::npos;
  };
  CHECK(is_told(R"("global_version":2,"reason":"asked")"));
  must(co_await world.custodian.rotate_organisation(jobs[0].org));
  CHECK(is_told("\"org\":\"" + jobs[0].org.value + R"(","version":2,"reason":"asked")"));
}

ASYNC_TEST_CASE("where credentials have ended the same key is attached with others, and all goes on", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  must(co_await world.own->attach(org, order_of("one", "first word")));
  world.places.kept.at("one").ended = "first word";
  co_await world.later(kKeyLife);
  REQUIRE(world.changes.size() == 1);
  CHECK_FALSE(world.own->usable(org));
  const auto other = co_await world.own->attach(org, order_of("two"));  // control: another key does not open it
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::unavailable);
  must(co_await world.own->attach(org, order_of("one", "second word")));
  CHECK(world.own->usable(org));
  CHECK(world.places.words.back() == "second word");
  REQUIRE(world.changes.size() == 2);
  CHECK(world.changes.back().came == OwnKeys::Came::restored);
  CHECK_FALSE(world.own->facts(org)->refused_since.has_value());
  CHECK(world.metrics.prometheus().find("sallyport_organisation_keys_refused 0") != std::string::npos);
  const auto data = co_await world.read(job);
  CHECK(reads(data));
}
