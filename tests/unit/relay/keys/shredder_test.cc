#include "tests/unit/relay/keys/world.h"

using namespace sallyport;
using namespace sallyport::keys;
using namespace sallyport::test;
using namespace std::chrono_literals;

ASYNC_TEST_CASE("data is readable until its time is over, to the second, and then no more", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  world.clock.pass(10min);
  const auto job = co_await world.start(org, {.payload = 2h, .logs = 5h});
  co_await world.finish(job);  // in hour 0: its data until the end of hour 2, its words until the end of hour 5
  world.clock.pass(2h + 49min + 59s);
  auto tally = co_await world.shred();
  CHECK(tally.hours == 0);
  auto data = co_await world.read(job);
  CHECK(data.starts_with("data of"));
  world.clock.pass(1s);
  tally = co_await world.shred();
  CHECK(tally.hours == 1);
  CHECK(tally.jobs == 1);
  data = co_await world.read(job);
  CHECK(data == "not_found");
  auto words = co_await world.words(job);
  CHECK(words.starts_with("words of"));
  const auto trigger = co_await world.stores.jobs.sealed_trigger(org, job.job);
  CHECK(!trigger);
  world.clock.pass(3h);
  tally = co_await world.shred();
  words = co_await world.words(job);
  CHECK(words == "not_found");
  const auto still = co_await world.stores.jobs.find(org, job.job);
  CHECK(still);  // that it ran is known for longer
  world.clock.pass(46 * 24h);
  co_await world.shred();
  const auto gone = co_await world.stores.jobs.find(org, job.job);
  CHECK(!gone);
}

ASYNC_TEST_CASE("the clock starts at the job's end: who runs for long keeps its data, and nobody else's",
                "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  const auto longer = co_await world.start(org, retention), brief = co_await world.start(org, retention);
  co_await world.finish(brief);
  world.clock.pass(30h);  // the first one still runs
  co_await world.shred();
  auto of_longer = co_await world.read(longer), of_brief = co_await world.read(brief);
  CHECK(of_longer.starts_with("data of"));
  CHECK(of_brief == "not_found");
  world.clock.pass(10min);
  co_await world.finish(longer);  // in hour 30
  for (int minutes = 10; minutes < 120; minutes += 10) {
    of_longer = co_await world.read(longer);
    INFO(minutes);
    CHECK(of_longer.starts_with("data of"));
    world.clock.pass(10min);
    co_await world.shred();
  }
  of_longer = co_await world.read(longer);
  CHECK(of_longer == "not_found");
}

ASYNC_TEST_CASE("what has not ended is never shredded, one organisation's trouble is not another's", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto ours = co_await world.settle("ours"), theirs = co_await world.settle("theirs");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  const auto running = co_await world.start(ours, retention), ended = co_await world.start(theirs, retention);
  co_await world.finish(ended);
  world.clock.pass(2h);
  world.provider.broken = Errc::forbidden;  // so the running job's key cannot move
  world.ring.hierarchy.sweep();
  const auto done = co_await world.shredder.pass(world.clock.wall());
  REQUIRE(!done);
  CHECK(done.error().code == Errc::unavailable);
  world.provider.broken.reset();
  world.clock.pass(kFailureLife);
  const auto of_running = co_await world.read(running), of_ended = co_await world.read(ended);
  CHECK(of_running.starts_with("data of"));
  CHECK(of_ended == "not_found");
  co_await world.shred();
  const auto after = co_await world.read(running);
  CHECK(after.starts_with("data of"));
}

ASYNC_TEST_CASE("a clock that went back does not keep jobs from starting", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  co_await world.start(org, retention);
  world.clock.jump = -24h;
  const auto job = co_await world.start(org, retention);
  const auto data = co_await world.read(job);
  CHECK(data.starts_with("data of"));
  co_await world.shred();
  const auto still = co_await world.read(job);
  CHECK(still.starts_with("data of"));
}

ASYNC_TEST_CASE("what is written while the clock is wrong does not expire early, and what is written later not late",
                "[keys][shred][clock]") {
  const auto jump = GENERATE(std::chrono::milliseconds(-24h), std::chrono::milliseconds(24h * 365));
  INFO("jump " << jump.count());
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const domain::JobRetention retention{.payload = 2h, .logs = 2h};
  world.clock.jump = jump;
  const auto job = co_await world.start(org, retention);  // the lane begins with it
  co_await world.finish(job);
  co_await world.shred();
  world.clock.jump = 0s;
  const auto later = co_await world.start(org, retention);
  co_await world.finish(later);
  for (const auto pass : {0s, std::chrono::seconds(2h), std::chrono::seconds(59min + 59s)}) {
    world.clock.pass(pass);
    co_await world.shred();
    for (const auto& one : {job, later}) {
      const auto data = co_await world.read(one);
      CHECK(data.starts_with("data of"));
    }
  }
  world.clock.pass(1s);
  co_await world.shred();
  const auto late = co_await world.read(later);
  CHECK(late == "not_found");
}

ASYNC_TEST_CASE("an end that a clock ahead of time wrote down counts as now when it is looked at",
                "[keys][shred][clock]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto job = co_await world.start(org, {.payload = 2h, .logs = 2h});
  world.clock.jump = 24h * 365;
  co_await world.finish(job);
  world.clock.jump = 0s;
  world.clock.pass(3h);
  co_await world.shred();
  const auto kept = co_await world.read(job);
  CHECK(kept.starts_with("data of"));
  world.clock.pass(3h);
  co_await world.shred();
  const auto gone = co_await world.read(job);
  CHECK(gone == "not_found");
}

ASYNC_TEST_CASE("a job's key that is damaged is told of, and keeps nothing else from going", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  const auto damaged = co_await world.start(org, retention), running = co_await world.start(org, retention),
             ended = co_await world.start(org, retention);
  co_await world.finish(ended);
  const auto keys = must(co_await world.stores.job_keys.find(org, damaged.job));
  for (const auto& key : keys) {
    auto wrong = key.wrapped;
    wrong.back() ^= std::byte{1};
    must(co_await world.stores.job_keys.move(org, key.lane, {{{key.hour, damaged.job}, key.hour, wrong}}));
  }
  world.clock.pass(3h);
  const auto tally = co_await world.shred();
  CHECK(tally.hours == 2);
  CHECK(world.lines.find("keys.job_key_damaged") != std::string::npos);
  CHECK(world.lines.find(damaged.job.value) != std::string::npos);
  auto data = co_await world.read(running);
  CHECK(data.starts_with("data of"));
  data = co_await world.read(ended);
  CHECK(data == "not_found");
}

ASYNC_TEST_CASE("who does not know how long one lane is kept destroys what is due of the others", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto first = co_await world.settle("first"), second = co_await world.settle("second"),
             third = co_await world.settle("third");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  std::vector<KeptJob> jobs;
  for (const auto& org : {first, second, third}) {
    jobs.push_back(co_await world.start(org, retention));
    co_await world.finish(jobs.back());
  }
  world.clock.pass(3h);
  Shredder shredder({world.ring.store->keys(), world.stores.job_keys, world.ring.hierarchy, world.clock, world.log,
                     world.metrics, [&] { return std::optional(world.true_time()); },
                     [&](OrgId org, store::RetentionLane lane) -> awaitable<Result<std::uint32_t>> {
                       if (org == second) co_return fail(Errc::unavailable, "planted: nobody knows");
                       co_return lane.hours;
                     }});
  const auto done = co_await shredder.pass(world.true_time());
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("planted") != std::string::npos);
  std::vector<std::string> data;
  for (const auto& job : jobs) data.push_back(co_await world.read(job));
  CHECK(data[0] == "not_found");
  CHECK(data[1].starts_with("data of"));
  CHECK(data[2] == "not_found");
}

ASYNC_TEST_CASE("a lane that has no key is known for a year, then forgotten, and begins anew", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours"), other = co_await world.settle("other");
  const domain::JobRetention retention{.payload = 1h, .logs = 1h};
  const auto turn_again = [&]() -> awaitable<std::size_t> {  // and how many lanes are left
    co_await world.finish(co_await world.start(other, retention));
    world.clock.pass(3h);
    co_await world.shred();
    co_return must(co_await world.ring.store->keys().lanes_of(org)).size();
  };
  co_await world.finish(co_await world.start(org, retention));
  world.clock.pass(3h);
  co_await world.shred();
  auto lanes = co_await turn_again();
  CHECK(lanes == 2);
  world.clock.pass(366 * 24h);
  lanes = co_await turn_again();
  CHECK(lanes == 0);
  const auto again = co_await world.start(org, retention);
  const auto data = co_await world.read(again);
  CHECK(data.starts_with("data of"));
}

ASYNC_TEST_CASE("space comes back when data is gone", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const auto file = world.folder / "relay.db";
  for (int i = 0; i < 30; ++i) {
    const auto job = co_await world.start(org, {.payload = 1h, .logs = 1h});
    auto keys = must(co_await world.stores.job_keys.find(org, job.job));
    const RecordIdentity identity{org, "steps", "output", job.job.value + "/a/1", KeyClass::payload, job.job};
    const auto large = must(co_await world.ring.envelope.seal(identity, Bytes(100'000)));
    std::vector<store::HistoryEntry> entries{{1, world.clock.wall(), store::JobStarted{}}};
    store::StepFinished end{.path = "a", .attempt = 1};
    end.sealed_output = large;
    entries.push_back({2, world.clock.wall(), std::move(end)});
    must(co_await world.stores.history.append(org, job.job, 0, std::move(entries)));
    co_await world.finish(job);
  }
  const auto size = [&] {
    return std::filesystem::file_size(file) + std::filesystem::file_size(file.string() + "-wal");
  };
  const auto before = size();
  CHECK(before > 3'000'000);
  world.clock.pass(3h);
  co_await world.shred();
  for (int tries = 0; tries < 500 && size() > before / 4; ++tries) {
    must(co_await world.stores.groups.add(org,
                                          {GroupId("grp_" + std::to_string(tries)), org, std::to_string(tries), {}}));
  }
  CHECK(size() < before / 4);
}

ASYNC_TEST_CASE("jobs whose hour's key was lost with a keys.db hold up nobody", "[keys][shred]") {
  KeysWorld world(co_await boost::asio::this_coro::executor);
  const auto org = co_await world.settle("ours");
  const domain::JobRetention retention{.payload = 2h, .logs = 2h};
  const auto lost = co_await world.start(org, retention);
  must(co_await world.ring.store->begin_lanes_anew(world.ring.anchor.epoch()));
  KeyRing anew(co_await boost::asio::this_coro::executor, world.folder.path(), world.clock, world.stores.job_keys,
               &world.provider);
  Shredder shredder({anew.store->keys(), world.stores.job_keys, anew.hierarchy, world.clock, world.log, world.metrics,
                     [&] { return std::optional(world.clock.wall()); }});
  const auto hour = store::hour_of(world.clock.wall());
  const auto next = must(co_await anew.hierarchy.hour_for_writing(org, {"payload", 2}, hour));
  CHECK(next.hour == hour + 1);  // no hour that had a key gets another one
  world.clock.pass(4h);
  const auto tally = must(co_await shredder.pass(world.clock.wall()));
  CHECK(tally.hours == 1);
  world.clock.pass(4h);  // it never ended, so it is moved on; with nobody to end it, it stays a job without data
  must(co_await shredder.pass(world.clock.wall()));
  const auto data = co_await world.read(lost);
  CHECK(data != "data of " + lost.job.value);
}
