#include "relay/keys/own_keys.h"

#include "relay/keys/custodian.h"
#include "relay/store/sqlite/database.h"
#include "tests/support/test_places.h"
#include "tests/unit/relay/keys/world.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

OwnKeyOrder order_of(std::string name, std::string credentials = "") {
  return {"file", {{Value("name"), Value(std::move(name))}}, Secret::take(std::move(credentials))};
}

struct Change {
  OrgId org;
  OwnKeys::Came came;
};

struct Attaching : KeysWorld {
  explicit Attaching(const asio::any_io_executor& executor)
      : KeysWorld(executor), executor_(executor), own(std::make_unique<OwnKeys>(executor, parts(ring))) {}

  OwnKeys::Parts parts(KeyRing& keys) {
    return {keys.store->keys(),
            keys.hierarchy,
            places,
            clock,
            log,
            metrics,
            [this](OrgId org, OwnKeys::Came came, std::string) -> awaitable<Result<void>> {
              if (leaves) own->leave(org);
              if (is_deaf) co_return fail(Errc::unavailable, "planted: the ledger cannot be written");
              changes.push_back({std::move(org), came});
              co_return Result<void>();
            }};
  }
  awaitable<void> later(std::chrono::seconds by) {
    clock.pass(by);
    co_await own->look();
  }
  std::uint32_t newest_own(const std::vector<store::KeyVersion>& versions) const {
    return versions.empty() ? 0 : versions.back().own;
  }

  asio::any_io_executor executor_;
  TestPlaces places;
  std::vector<Change> changes;
  bool is_deaf = false;
  bool leaves = false;  // erased while the ledger is written
  std::unique_ptr<OwnKeys> own;
  Custodian custodian{executor_,
                      {ring.store->keys(), provider, ring.hierarchy, *own,
                       [this] { return std::optional(clock.wall()); }, log, metrics}};
};

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

bool reads(const std::string& data) { return data.starts_with("data of"); }

}  // namespace

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
