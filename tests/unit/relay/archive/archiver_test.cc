#include "tests/unit/relay/archive/bench.h"

using namespace sallyport;
using namespace sallyport::archive;
using namespace sallyport::test;

namespace {

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

ASYNC_TEST_CASE("the record of a job that has ended is in the archive, sealed, and comes back", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  auto done = co_await bench.pass();
  CHECK(done == 1);
  REQUIRE(bench.objects().size() == 1);
  const auto text = content_of(bench.objects()[0]);
  CHECK(text.starts_with("sallyport-archive\x01"));
  CHECK(text.find("sallyport-archive-1") == std::string::npos);  // what is in it is not to be seen
  CHECK(text.find(job.job.value) == std::string::npos);
  const auto record = co_await bench.read_back(job);
  CHECK(record.starts_with("{\"job\":"));
  CHECK(record.find(job.job.value) != std::string::npos);
  CHECK(record.find("sallyport-archive-1") != std::string::npos);
  done = co_await bench.pass();
  CHECK(done == 0);
  const auto list = must(co_await bench.stores.archive.list(org, {}));
  REQUIRE(list.items.size() == 1);
  CHECK(list.items[0].hours == 48);
  CHECK(list.items[0].size == text.size());
}

ASYNC_TEST_CASE("only what recipe and organisation want is archived", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto with = co_await bench.settle_with_archive("with"), without = co_await bench.settle("without");
  co_await bench.end_one(with, {.payload = 4h, .logs = 4h});
  co_await bench.end_one(without);
  const auto running = co_await bench.start(with, kArchived);
  auto waiting = co_await bench.waiting();
  CHECK(waiting == 0);
  co_await bench.finish(running);
  waiting = co_await bench.waiting();
  CHECK(waiting == 1);  // control
}

ASYNC_TEST_CASE("what cannot be archived now waits longer and longer, and is archived when it can be", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org), other = co_await bench.end_one(org);
  bench.place->broken = Errc::forbidden;
  auto done = co_await bench.pass();
  CHECK(done == 0);
  CHECK(bench.place->puts == 1);  // a place that does not work is tried once in a pass
  CHECK(bench.lines.find("planted: the archive is out of order") != std::string::npos);
  CHECK(bench.archiver.trouble_at("local").find("refuses") != std::string::npos);
  CHECK(bench.archiver.trouble_at("local").find("planted") == std::string::npos);  // that is for the operator
  CHECK(bench.lines.find("archive.waits") != std::string::npos);
  done = co_await bench.pass();
  CHECK(bench.place->puts == 1);  // not its turn yet
  bench.clock.pass(5s);
  done = co_await bench.pass();
  CHECK(bench.place->puts == 2);
  bench.place->broken.reset();
  bench.clock.pass(9s);
  done = co_await bench.pass();
  CHECK(done == 0);
  bench.clock.pass(1s);
  done = co_await bench.pass();
  CHECK(done == 2);
  CHECK(bench.archiver.trouble_at("local").empty());
  CHECK(bench.lines.find("archive.works") != std::string::npos);
  for (const auto& one : {job, other}) {
    const auto record = co_await bench.read_back(one);
    CHECK(record.starts_with("{\"job\":"));
  }
  const auto told = co_await bench.told(org);
  CHECK(told == 0);
}

ASYNC_TEST_CASE("what is not archived before its data is gone is told of in the ledger", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await bench.end_one(org);
  bench.place->broken = Errc::unavailable;
  for (int i = 0; i < 40; ++i) {
    co_await bench.pass();
    bench.clock.pass(600s);
  }
  auto waiting = co_await bench.waiting();
  CHECK(waiting == 0);
  auto told = co_await bench.told(org);
  CHECK(told == 1);
  CHECK(bench.lines.find("archive.given_up") != std::string::npos);
  co_await bench.end_one(org);
  must(co_await bench.stores.archive.set_place(org, "", bench.clock.wall()));  // what waits is told of, too
  co_await bench.pass();
  waiting = co_await bench.waiting();
  CHECK(waiting == 0);
  told = co_await bench.told(org);
  CHECK(told == 2);
}

ASYNC_TEST_CASE("a key that cannot be had now makes records wait, those of others do not", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  bench.clock.pass(keys::kKeyLife);
  bench.ring.hierarchy.sweep();
  bench.provider.broken = Errc::forbidden;
  auto done = co_await bench.pass();
  CHECK(done == 0);
  CHECK(bench.place->puts == 0);
  bench.provider.broken.reset();
  bench.clock.pass(5s);
  done = co_await bench.pass();
  CHECK(done == 1);
}

ASYNC_TEST_CASE("when a record's time is over no copy of it can be read, and the object goes", "[archive][retention]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  const auto later = co_await bench.end_one(org, {.payload = 4h, .logs = 4h, .archive = 72h});
  co_await bench.pass();
  const auto found = must(co_await bench.stores.archive.find(org, job.job));
  const auto copy = content_of(bench.root / found.object);
  bench.clock.pass(48h + 59min + 59s);
  co_await bench.shred();
  auto record = co_await bench.read_back(job);
  CHECK(record.starts_with("{\"job\":"));  // to the second
  auto gone = must(co_await bench.archiver.remove_ended());
  CHECK(gone == 0);
  bench.clock.pass(1s);
  co_await bench.shred();
  record = co_await bench.read_back(job);
  CHECK(record == "not_found");
  bench.place->broken = Errc::unavailable;
  for (int i = 0; i < 3; ++i) {
    gone = must(co_await bench.archiver.remove_ended());
    CHECK(gone == 0);
  }
  CHECK(bench.place->removals == 1);  // a place that does not work is left alone for a while
  CHECK(bench.lines.find("archive.not_removed") != std::string::npos);
  bench.place->broken.reset();
  bench.clock.pass(Archiver::kFirstDelay);
  gone = must(co_await bench.archiver.remove_ended());
  CHECK(gone == 1);
  CHECK(bench.objects().size() == 1);
  const Bytes old(as_bytes(copy).begin(), as_bytes(copy).end());
  auto opened = co_await open_object(bench.ring.hierarchy, org, job.job, old);
  REQUIRE(!opened);
  CHECK(opened.error().code == Errc::not_found);
  record = co_await bench.read_back(later);
  CHECK(record.starts_with("{\"job\":"));
}

ASYNC_TEST_CASE("an object opens for its own job of its own organisation only, and unchanged", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto ours = co_await bench.settle_with_archive("ours"), theirs = co_await bench.settle_with_archive("theirs");
  const auto job = co_await bench.end_one(ours), other = co_await bench.end_one(ours);
  const auto foreign = co_await bench.end_one(theirs);
  co_await bench.pass();
  const auto found = must(co_await bench.stores.archive.find(ours, job.job));
  const auto text = content_of(bench.root / found.object);
  Bytes object(as_bytes(text).begin(), as_bytes(text).end());
  auto opened = co_await open_object(bench.ring.hierarchy, ours, job.job, object);
  CHECK(opened);  // control
  opened = co_await open_object(bench.ring.hierarchy, ours, other.job, object);
  CHECK(!opened);
  opened = co_await open_object(bench.ring.hierarchy, theirs, foreign.job, object);
  CHECK(!opened);
  for (std::size_t at = 0; at < std::min<std::size_t>(object.size(), 140); ++at) {
    INFO(at);
    auto changed = object;
    changed[at] ^= std::byte{1};
    opened = co_await open_object(bench.ring.hierarchy, ours, job.job, std::move(changed));
    CHECK(!opened);
  }
  for (const std::ptrdiff_t size : {0, 16, 22, 90}) {
    opened = co_await open_object(bench.ring.hierarchy, ours, job.job, Bytes(object.begin(), object.begin() + size));
    CHECK(!opened);
  }
  const auto hidden = co_await bench.archiver.read(theirs, job.job);
  REQUIRE(!hidden);
  CHECK(hidden.error().code == Errc::not_found);
}

ASYNC_TEST_CASE("an ended object that cannot be removed keeps no other one from going", "[archive][retention]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  std::vector<KeptJob> jobs;
  for (int i = 0; i < 4; ++i) jobs.push_back(co_await bench.end_one(org));
  co_await bench.pass();
  bench.place->held = {must(co_await bench.stores.archive.find(org, jobs[0].job)).object,
                       must(co_await bench.stores.archive.find(org, jobs[2].job)).object};
  bench.clock.pass(50h);
  co_await bench.shred();
  for (int i = 0; i < 8; ++i) {
    must(co_await bench.archiver.remove_ended());
    bench.clock.pass(Archiver::kLongestDelay);
  }
  CHECK(bench.objects().size() == 2);
  bench.place->held.clear();
  for (int i = 0; i < 2; ++i) must(co_await bench.archiver.remove_ended());
  CHECK(bench.objects().empty());
}

ASYNC_TEST_CASE("ended objects at a place that is gone, any number, keep none at another one from going",
                "[archive][retention]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  co_await bench.pass();
  auto older = must(co_await bench.stores.archive.find(org, job.job));
  older.place = "gone";
  --older.hour;
  for (std::size_t i = 0; i <= Archiver::kRemovedAtOnce; ++i) {
    older.job = crypto::new_id<JobId>(bench.clock);
    older.object = older.job.value;
    must(co_await bench.stores.archive.intend(org, older));
  }
  bench.clock.pass(50h);
  co_await bench.shred();
  const auto gone = must(co_await bench.archiver.remove_ended());
  CHECK(gone == 1);
  CHECK(bench.objects().empty());
  CHECK(bench.lines.find("relay.yaml has no archive \\\"gone\\\" any more") != std::string::npos);
}

ASYNC_TEST_CASE("an ended object that is held keeps none of another lane from going", "[archive][retention]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto held = co_await bench.end_one(org);
  co_await bench.end_one(org, {.payload = 4h, .logs = 4h, .archive = 72h});
  co_await bench.pass();
  bench.place->held = {must(co_await bench.stores.archive.find(org, held.job)).object};
  bench.clock.pass(74h);
  co_await bench.shred();
  for (int i = 0; i < 3; ++i) {
    must(co_await bench.archiver.remove_ended());
    bench.clock.pass(Archiver::kLongestDelay);
  }
  CHECK(bench.objects().size() == 1);
}

ASYNC_TEST_CASE("a turn that was written by a clock that was ahead is now", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await bench.end_one(org);
  bench.place->broken = Errc::unavailable;
  bench.clock.jump = 2h;
  co_await bench.pass();
  CHECK(bench.place->puts == 1);
  bench.clock.jump = 0h;
  bench.place->broken.reset();
  const auto done = co_await bench.pass();
  CHECK(done == 1);
}

ASYNC_TEST_CASE("what an organisation hears of a place that does not work is not where it is", "[archive]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto job = co_await bench.end_one(co_await bench.settle_with_archive("ours"));
  co_await bench.pass();
  bench.place->unread = Errc::forbidden;
  const auto read = co_await bench.archiver.read(job.org, job.job);
  REQUIRE(!read);
  CHECK(read.error().code == Errc::forbidden);
  CHECK(read.error().message.find("/srv/planted") == std::string::npos);
  CHECK(bench.lines.find("/srv/planted") != std::string::npos);
}
