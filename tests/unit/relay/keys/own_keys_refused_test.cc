#include "relay/store/sqlite/database.h"
#include "tests/unit/relay/keys/attaching.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("key_revoked: an organisation's own key that is refused closes it at once, others notice nothing",
                "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  const auto job = co_await world.start(ours), other = co_await world.start(theirs);
  must(co_await world.own->attach(ours, order_of("one")));
  must(co_await world.own->attach(theirs, order_of("two")));
  world.clock.pass(kKeyLife / 2);
  co_await world.own->look();
  CHECK(world.own->usable(ours));

  world.places.kept.at("one").broken = Errc::forbidden;
  world.clock.pass(kKeyLife - 30s);
  co_await world.own->look();
  const auto asked = world.places.kept.at("one").calls;
  auto data = co_await world.read(job);
  CHECK(data == "unavailable");
  data = co_await world.read(other);
  CHECK(reads(data));
  CHECK(!world.own->usable(ours));
  CHECK(world.own->usable(theirs));
  CHECK(world.places.kept.at("one").calls == asked);  // who reads does not ask
  REQUIRE(world.changes.size() == 1);
  CHECK(world.changes[0].org == ours);
  const auto sealed =
      co_await world.ring.envelope.seal(RecordIdentity{ours, "issuing_cas", "private_key", ours.value}, as_bytes("x"));
  CHECK(!sealed);
  const auto facts = world.own->facts(ours);
  REQUIRE(facts);
  CHECK(facts->refused_since);
  CHECK(facts->reason == "planted");

  for (int i = 0; i < 4; ++i) {  // told once, also by the next process
    world.clock.pass(kRefusedAgain);
    co_await world.own->look();
  }
  OwnKeys later(world.executor_, world.parts(world.ring));
  must(co_await later.load());
  co_await later.look();
  CHECK(world.changes.size() == 1);
  CHECK(world.metrics.prometheus().find("sallyport_organisation_keys_refused") != std::string::npos);

  world.places.kept.at("one").broken.reset();
  world.clock.pass(kRefusedAgain);  // well within 60 s
  co_await world.own->look();
  data = co_await world.read(job);
  CHECK(reads(data));
  REQUIRE(world.changes.size() == 2);
  CHECK(world.changes[1].came == OwnKeys::Came::restored);
}

ASYNC_TEST_CASE("key_revoked: a keeper that nobody reaches is outlived for 270 s and not a second more",
                "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  must(co_await world.own->attach(org, order_of("one")));
  world.places.kept.at("one").broken = Errc::timed_out;
  std::string data;
  for (auto at = 0s; at < kKeyLife; at += 1s) {
    co_await world.own->look();
    data = co_await world.read(job);
    INFO("after " << at.count() << " s");
    CHECK(reads(data));
    world.clock.pass(1s);
  }
  CHECK(world.changes.empty());
  co_await world.own->look();
  data = co_await world.read(job);
  CHECK(data == "unavailable");
  CHECK(world.changes.size() == 1);
  world.ring.hierarchy.sweep();
  const auto other = co_await world.settle("theirs");
  const auto theirs = co_await world.start(other);
  data = co_await world.read(theirs);
  CHECK(reads(data));
}

ASYNC_TEST_CASE("there is no way around a refused key: what is stored does not open under the global key alone",
                "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  // The control: before the attachment the global key is enough, and the same change of the row lets it open.
  const auto says_global_alone = [&]() -> awaitable<std::string> {
    const TempDir copy;
    for (const auto& file : std::filesystem::directory_iterator(world.folder.path())) {
      if (!file.path().filename().string().starts_with("relay.db"))
        std::filesystem::copy(file.path(), copy / file.path().filename().string());
    }
    {
      auto db = must(store::sqlite::Database::open(copy / "keys.db", store::sqlite::Access::read_write));
      must(db.run("update tenant_keys set own = 0"));
    }
    KeyRing again(world.executor_, copy.path(), world.clock, world.stores.job_keys, &world.provider);
    const auto opened = co_await again.hierarchy.tenant(org, 1);
    co_return opened ? "opened" : std::string(to_string(opened.error().code));
  };
  auto said = co_await says_global_alone();
  CHECK(said == "opened");
  must(co_await world.own->attach(org, order_of("one")));
  said = co_await says_global_alone();
  CHECK(said == "invalid");
}

ASYNC_TEST_CASE("a key that lives for seconds is asked for so early that nobody waits for it", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  KeyRing brief(world.executor_, world.folder.path(), world.clock, world.stores.job_keys, &world.provider, {}, nullptr,
                5s);
  OwnKeys own(world.executor_, world.parts(brief));
  must(co_await own.load());
  must(co_await own.attach(org, order_of("one")));
  co_await own.look();
  for (int second = 0; second < 30; ++second) {
    INFO("second " << second);
    CHECK(own.usable(org));
    world.clock.pass(1s);
    CHECK(own.usable(org));  // a second may pass before it is looked at again
    co_await own.look();
  }
}

ASYNC_TEST_CASE("a refusal counts at once, whoever learns it: also who attaches or detaches", "[keys][own]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org);
  must(co_await world.own->attach(org, order_of("one")));
  auto& key = world.places.kept.at("one").broken;
  const auto is_figure = [&](std::string_view value) {
    return world.metrics.prometheus().find("sallyport_organisation_keys_refused " + std::string(value) + "\n") !=
           std::string::npos;
  };
  key = Errc::timed_out;  // control: nobody was reached, and what is in memory serves
  auto kept = co_await world.own->detach(org);
  CHECK_FALSE(kept);
  CHECK(world.own->usable(org));
  CHECK(world.changes.empty());

  for (const bool detaches : {true, false}) {
    world.changes.clear();
    key = Errc::forbidden;
    kept = detaches ? co_await world.own->detach(org) : co_await world.own->attach(org, order_of("two"));
    REQUIRE_FALSE(kept);
    CHECK(kept.error().code == Errc::unavailable);
    CHECK_FALSE(world.own->usable(org));
    auto data = co_await world.read(job);
    CHECK(data == "unavailable");
    REQUIRE(world.changes.size() == 1);
    CHECK(world.changes[0].came == OwnKeys::Came::refused);
    CHECK(world.own->facts(org)->refused_since);
    CHECK(is_figure("1"));
    key.reset();
    must(detaches ? co_await world.own->attach(org, order_of("two")) : co_await world.own->detach(org));
    REQUIRE(world.changes.size() == 2);
    CHECK(world.changes[1].came == OwnKeys::Came::restored);
    CHECK(is_figure("0"));
    data = co_await world.read(job);
    CHECK(reads(data));
    if (detaches) must(co_await world.own->attach(org, order_of("one")));
  }
}

ASYNC_TEST_CASE("what is due of a refused organisation is destroyed as far as no key is needed", "[keys][own][shred]") {
  Attaching world(co_await asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const domain::JobRetention short_term{.payload = 2h, .logs = 2h};
  const auto ended = co_await world.start(org, short_term);
  co_await world.finish(ended);
  must(co_await world.own->attach(org, order_of("one")));
  world.clock.pass(1h);
  co_await world.own->look();
  const auto running = co_await world.start(org, short_term);
  world.places.kept.at("one").broken = Errc::forbidden;
  world.clock.pass(3h + 1s);  // both hours are due; what runs has to move first
  co_await world.own->look();
  const auto passed = co_await world.shredder.pass(world.clock.wall());
  CHECK(!passed);  // what waits is told of
  const auto lanes = must(co_await world.ring.store->keys().lanes_of(org));
  for (const auto& lane : lanes) CHECK(lane.keys == 1);  // the other hour is gone
  world.places.kept.at("one").broken.reset();
  world.clock.pass(kRefusedAgain);
  co_await world.own->look();
  auto data = co_await world.read(ended);
  CHECK(data == "not_found");
  data = co_await world.read(running);
  CHECK(reads(data));
  co_await world.shred();  // now it moves
  data = co_await world.read(running);
  CHECK(reads(data));
}
