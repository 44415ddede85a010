#include "tests/unit/relay/keys/attaching.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("a change that the ledger could not take is told again", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  must(co_await world.own->attach(org, order_of("one")));
  const auto is_noted = [&]() -> awaitable<bool> {
    const auto row = must(co_await world.ring.store->keys().own_key(org));
    co_return row->refused_since.has_value();
  };
  world.places.kept.at("one").broken = Errc::forbidden;
  world.is_deaf = true;
  co_await world.later(kKeyLife);
  CHECK(world.changes.empty());
  CHECK_FALSE(world.own->usable(org));  // it is closed all the same
  bool noted = co_await is_noted();
  CHECK_FALSE(noted);  // or nobody would tell after a restart
  world.is_deaf = false;
  co_await world.later(kRefusedAgain);
  CHECK(world.changes.size() == 1);
  noted = co_await is_noted();
  CHECK(noted);
  world.places.kept.at("one").broken.reset();
  world.is_deaf = true;
  co_await world.later(kRefusedAgain);
  CHECK(world.own->usable(org));
  CHECK(world.changes.size() == 1);
  world.is_deaf = false;
  co_await world.later(kKeyLife);
  CHECK(world.changes.size() == 2);
}

ASYNC_TEST_CASE("who gives up in the middle of attaching keeps nobody from attaching", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  Event asked(world.executor_), never(world.executor_);
  TaskGroup callers(world.executor_, [](const auto& task, const auto& why) { FAIL(task << ": " << why); });
  callers.spawn("caller", [](Attaching& in, OrgId whose, Event& began, Event& end) -> awaitable<void> {
    static_cast<void>(co_await in.own->attach(whose, order_of("one"), [&]() -> awaitable<Result<void>> {
      began.set();
      co_await end.wait();
      co_return Result<void>();
    }));
  }(world, org, asked, never));
  co_await asked.wait();
  const auto meanwhile = co_await world.own->attach(org, order_of("two"));
  REQUIRE_FALSE(meanwhile);
  CHECK(meanwhile.error().code == Errc::conflict);
  callers.stop();
  co_await callers.join();
  must(co_await world.own->attach(org, order_of("two")));
  CHECK(world.own->facts(org).has_value());
}

ASYNC_TEST_CASE("the key of an organisation that is erased is not asked for any more", "[keys][own][erasure]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  must(co_await world.own->attach(org, order_of("one")));
  const auto asks_again = [&]() -> awaitable<bool> {
    const auto before = world.places.kept.at("one").calls;
    world.clock.pass(kKeyLife);
    co_await world.own->look();
    co_return world.places.kept.at("one").calls > before;
  };
  bool asks = co_await asks_again();
  CHECK(asks);  // control
  world.own->leave(org);
  must(co_await world.ring.hierarchy.erase(org));
  asks = co_await asks_again();
  CHECK_FALSE(asks);
  CHECK_FALSE(world.own->facts(org).has_value());
  const auto left = must(co_await world.ring.store->keys().own_keys());
  CHECK(left.empty());
}

ASYNC_TEST_CASE("who attaches a key while the organisation is erased leaves none behind", "[keys][own][erasure]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto attached = co_await world.own->attach(org, order_of("one"), [&]() -> awaitable<Result<void>> {
    world.own->leave(org);
    co_return Result<void>();
  });
  REQUIRE_FALSE(attached);
  CHECK(attached.error().code == Errc::not_found);
  CHECK_FALSE(world.own->facts(org).has_value());
  const auto before = world.places.kept.at("one").calls;
  co_await world.later(kKeyLife);
  CHECK(world.places.kept.at("one").calls == before);
}

ASYNC_TEST_CASE("an organisation that is erased while its ledger hears of its key keeps nothing of it", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  must(co_await world.own->attach(org, order_of("one")));
  world.places.kept.at("one").broken = Errc::forbidden;
  world.leaves = true;
  co_await world.later(kKeyLife);  // under ASan: who asked still holds what it writes to
  CHECK(world.changes.size() == 1);
  CHECK_FALSE(world.own->facts(org));
  CHECK(world.own->usable(org));
}
