#include "tests/unit/relay/keys/attaching.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("what is under an attached key that is gone for good is given up only by who says so", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  must(co_await world.own->attach(org, order_of("one")));
  const auto job = co_await world.start(org);
  const auto detach = [&]() -> awaitable<Error> {
    const auto refused = co_await world.own->detach(org, OwnKeys::Detach::without_it);
    REQUIRE_FALSE(refused);
    CHECK(contains(refused.error().message, "nothing was changed"));
    CHECK(reads(co_await world.read(job)) == world.own->usable(org));
    co_return refused.error();
  };
  CHECK((co_await detach()).code == Errc::conflict);  // it can be used
  world.places.kept.at("one").broken = Errc::timed_out;
  CHECK((co_await detach()).code == Errc::conflict);  // it could be a moment ago
  world.clock.pass(kKeyLife + 1s);
  co_await world.own->look();
  CHECK_FALSE(world.own->usable(org));
  CHECK((co_await detach()).code == Errc::conflict);  // refused, and only out of reach
  world.places.kept.at("one").broken = Errc::forbidden;
  CHECK_FALSE(co_await world.own->detach(org));  // control: who does not say so
  CHECK(co_await world.read(job) == "unavailable");

  must(co_await world.own->detach(org, OwnKeys::Detach::without_it));
  CHECK(world.own->usable(org));
  CHECK_FALSE(world.own->facts(org));
  CHECK(world.changes.back().came == OwnKeys::Came::restored);
  CHECK(co_await world.read(job) == "not_found");
  const auto next = co_await world.start(org);  // in the same hour
  CHECK(reads(co_await world.read(next)));
  CHECK(co_await world.read(job) == "not_found");  // and does not look changed
  must(co_await world.own->attach(org, order_of("two")));
  CHECK(world.own->facts(org)->version == 2);
  CHECK(reads(co_await world.read(next)));
  const auto hour = store::hour_of(world.clock.wall());
  const auto has_hour = [&]() -> awaitable<bool> {
    const auto lanes = must(co_await world.ring.store->keys().lanes_of(org));
    co_return std::ranges::any_of(lanes, [&](const auto& lane) { return lane.state.oldest == hour; });
  };
  CHECK(co_await has_hour());
  world.clock.pass(2 * domain::JobRetention().payload);
  co_await world.own->look();
  CHECK((co_await world.shred()).jobs > 0);  // keys of jobs go when their time is over
  CHECK_FALSE(co_await has_hour());
}

ASYNC_TEST_CASE("a key that was away for an hour can be given up, whatever keeps it away", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  must(co_await world.own->attach(org, order_of("one")));
  world.places.kept.at("one").broken = Errc::timed_out;
  co_await world.later(kKeyLife + 1s);
  CHECK_FALSE(co_await world.own->detach(org, OwnKeys::Detach::without_it));
  co_await world.later(kGoneAfter);
  must(co_await world.own->detach(org, OwnKeys::Detach::without_it));
  CHECK(world.own->usable(org));
}

ASYNC_TEST_CASE("another key takes the place of the attached one, and detaching needs it", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  must(co_await world.own->attach(org, order_of("one")));
  world.places.kept.at("one").broken = Errc::forbidden;
  const auto too_late = co_await world.own->attach(org, order_of("two"));
  REQUIRE(!too_late);
  CHECK(too_late.error().code == Errc::unavailable);
  const auto kept = co_await world.own->detach(org);
  REQUIRE(!kept);
  CHECK(kept.error().code == Errc::unavailable);
  CHECK(world.own->facts(org)->version == 1);

  world.places.kept.at("one").broken.reset();
  must(co_await world.own->attach(org, order_of("two")));
  CHECK(world.own->facts(org)->version == 2);
  world.places.kept.at("one").broken = Errc::forbidden;  // is not needed any more
  world.clock.pass(kKeyLife);
  co_await world.own->look();
  auto data = co_await world.read(job);
  CHECK(reads(data));

  must(co_await world.own->detach(org));
  CHECK(!world.own->facts(org));
  world.places.kept.at("two").broken = Errc::forbidden;
  world.clock.pass(kKeyLife);
  co_await world.own->look();
  data = co_await world.read(job);
  CHECK(reads(data));
  const auto nothing = co_await world.own->detach(org);
  REQUIRE(!nothing);
  CHECK(nothing.error().code == Errc::not_found);
  world.places.kept.at("two").broken.reset();
  must(co_await world.own->attach(org, order_of("two")));
  CHECK(world.own->facts(org)->version == 3);  // none is used twice
}
