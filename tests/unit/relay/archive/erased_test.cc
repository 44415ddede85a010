#include "tests/unit/relay/archive/bench.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

// What an organisation had in its archive goes with it.
using namespace sallyport;
using namespace sallyport::test;

namespace {

store::Erasure order(Bench& bench, const OrgId& org) {
  return {.id = crypto::new_id<ErasureId>(bench.clock),
          .subject = store::ErasedSubject::organisation,
          .org = org,
          .person = {},
          .asked_by = "system",
          .asked_at = bench.clock.wall()};
}

awaitable<void> erase_rows(Bench& bench, store::Erasure erasure) {
  for (std::size_t gone = 1; gone > 0;) gone = must(co_await bench.stores.erasures.erase_some(erasure, 2));
}

// The rows are gone when it returns, the objects are not.
awaitable<store::Erasure> erase(Bench& bench, OrgId org) {
  const auto erasure = order(bench, org);
  must(co_await bench.stores.erasures.begin_organisation(erasure));
  co_await erase_rows(bench, erasure);
  co_return erasure;
}

awaitable<std::uint64_t> left(Bench& bench, store::Erasure erasure) {
  co_return must(co_await bench.stores.erasures.objects(erasure.id)).left;
}

awaitable<void> archive_jobs(Bench& bench, OrgId org, int count) {
  for (int i = 0; i < count; ++i) co_await bench.end_one(org);
  const auto done = co_await bench.pass();
  CHECK(done == static_cast<std::size_t>(count));
}

awaitable<std::vector<store::ObjectToRemove>> listed(Bench& bench) {
  co_return must(co_await bench.stores.archive.to_remove("local", 100));
}

}  // namespace

ASYNC_TEST_CASE("what an erased organisation had in its archive is removed, and nothing of another one",
                "[archive][erasure][tenancy]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto ours = co_await bench.settle_with_archive("ours"), theirs = co_await bench.settle_with_archive("theirs");
  const auto theirs_job = co_await bench.end_one(theirs);
  co_await bench.pass();
  co_await archive_jobs(bench, ours, 5);
  CHECK(bench.objects().size() == 6);
  const auto erasure = co_await erase(bench, ours);
  CHECK(bench.objects().size() == 6);  // control: rows alone take no object away
  auto objects = must(co_await bench.stores.erasures.objects(erasure.id));
  CHECK(objects.all == 5);
  CHECK(objects.left == 5);
  auto gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 5);
  CHECK(bench.objects().size() == 1);
  objects = must(co_await bench.stores.erasures.objects(erasure.id));
  CHECK(objects.all == 5);
  CHECK(objects.left == 0);
  gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 0);
  const auto record = co_await bench.read_back(theirs_job);
  CHECK(record.starts_with("{\"job\":"));
}

ASYNC_TEST_CASE("the names of objects tell nothing of organisation and job", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  co_await bench.pass();
  const auto found = must(co_await bench.stores.archive.find(org, job.job));
  co_await erase(bench, org);
  const auto objects = co_await listed(bench);
  REQUIRE(objects.size() == 1);
  CHECK(objects[0].object == found.object);  // control: it is this one
  for (const auto& id : {org.value, job.job.value}) CHECK(found.object.find(id.substr(4)) == std::string::npos);
  const auto again = co_await bench.end_one(co_await bench.settle_with_archive("again"));
  co_await bench.pass();
  const auto other = must(co_await bench.stores.archive.find(again.org, again.job));
  CHECK(other.object != found.object);
}

ASYNC_TEST_CASE("an archive out of reach keeps its list, across a restart, and is asked again later and later",
                "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await archive_jobs(bench, org, 3);
  const auto erasure = co_await erase(bench, org);
  bench.place->broken = Errc::unavailable;
  for (int i = 0; i < 4; ++i) {
    const auto gone = must(co_await bench.archiver.remove_erased());
    CHECK(gone == 0);
  }
  CHECK(bench.place->removals == 1);  // it is not its turn yet
  bench.clock.pass(5s);
  must(co_await bench.archiver.remove_erased());
  bench.clock.pass(9s);
  must(co_await bench.archiver.remove_erased());
  CHECK(bench.place->removals == 2);
  CHECK(bench.lines.find("archive.not_removed") != std::string::npos);
  auto count = co_await left(bench, erasure);
  CHECK(count == 3);
  CHECK(must(co_await bench.stores.archive.count_to_remove()) == 3);
  bench.place->broken.reset();
  Metrics metrics;
  archive::Archiver next{{bench.stores.archive, bench.stores.jobs, bench.ring.store->keys(), bench.records,
                          bench.ring.hierarchy, bench.places, bench.audit, bench.clock, bench.log, metrics,
                          [] { return std::optional<WallTime>(); }}};
  const auto gone = must(co_await next.remove_erased());
  CHECK(gone == 3);
  count = co_await left(bench, erasure);
  CHECK(count == 0);
  CHECK(bench.objects().empty());
}

ASYNC_TEST_CASE("an object that cannot be removed keeps no other one from going", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await archive_jobs(bench, org, 4);
  const auto erasure = co_await erase(bench, org);
  const auto objects = co_await listed(bench);
  REQUIRE(objects.size() == 4);
  bench.place->held = {objects[0].object, objects[1].object};
  for (int i = 0; i < 4; ++i) {
    must(co_await bench.archiver.remove_erased());
    bench.clock.pass(archive::Archiver::kLongestDelay);
  }
  auto count = co_await left(bench, erasure);
  CHECK(count == 2);
  bench.place->held.clear();
  must(co_await bench.archiver.remove_erased());
  count = co_await left(bench, erasure);
  CHECK(count == 0);
}

ASYNC_TEST_CASE("no removal begins after the time given", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await archive_jobs(bench, org, 4);
  co_await erase(bench, org);
  bench.place->removing = [&] { bench.clock.pass(20s); };
  auto gone = must(co_await bench.archiver.remove_erased(bench.clock.steady() + 30s));
  CHECK(gone == 2);
  gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 2);  // control
}

// The archiver takes away what has ended while the erasure is between its beginning and its rows.
ASYNC_TEST_CASE("an object that goes while its organisation is erased is counted", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await archive_jobs(bench, org, 2);
  const auto erasure = order(bench, org);
  must(co_await bench.stores.erasures.begin_organisation(erasure));
  const auto archived = must(co_await bench.stores.archive.list(org, {}));
  must(co_await bench.stores.archive.remove(org, archived.items.at(0).job, "local"));
  co_await erase_rows(bench, erasure);
  auto objects = must(co_await bench.stores.erasures.objects(erasure.id));
  CHECK(objects.all == 2);
  CHECK(objects.left == 2);
  must(co_await bench.archiver.remove_erased());
  objects = must(co_await bench.stores.erasures.objects(erasure.id));
  CHECK(objects.all == 2);
  CHECK(objects.left == 0);
}

ASYNC_TEST_CASE("an archive that is not in relay.yaml any more keeps its list until it is", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await archive_jobs(bench, org, 1);
  const auto erasure = co_await erase(bench, org);
  auto place = std::move(bench.places.at("local"));
  bench.places.clear();
  must(co_await bench.archiver.remove_erased());
  CHECK(bench.lines.find("relay.yaml has no archive") != std::string::npos);
  auto count = co_await left(bench, erasure);
  CHECK(count == 1);
  bench.places.emplace("local", std::move(place));
  bench.clock.pass(5s);
  must(co_await bench.archiver.remove_erased());
  count = co_await left(bench, erasure);
  CHECK(count == 0);
}

// A relay that dies between putting and noting, and one whose owner then chooses another archive.
ASYNC_TEST_CASE("an object that may be there is removed like one that is", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  bench.place->dies_after_put = true;
  auto done = co_await bench.pass();
  CHECK(done == 0);
  CHECK(bench.objects().size() == 1);
  auto read = co_await bench.read_back(job);
  CHECK(read == "not_found");  // control: nobody knows that it is there
  bench.clock.pass(5s);
  done = co_await bench.pass();
  CHECK(bench.objects().size() == 1);  // the same name again
  must(co_await bench.stores.archive.set_place(org, "offsite", bench.clock.wall()));
  const auto erasure = co_await erase(bench, org);
  const auto gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 1);
  CHECK(bench.objects().empty());
}

// The archiver has read what is due before the erasure begins.
ASYNC_TEST_CASE("nothing of an organisation is put once its erasure has begun", "[archive][erasure]") {
  Bench bench(co_await asio::this_coro::executor);
  const auto org = co_await bench.settle_with_archive("ours");
  const auto job = co_await bench.end_one(org);
  must(co_await bench.stores.erasures.begin_organisation(order(bench, org)));
  const auto done = co_await bench.pass();
  CHECK(done == 0);
  CHECK(bench.place->puts == 0);
  CHECK(bench.objects().empty());
}

// The archiver is in the middle of putting while the erasure runs to its end.
ASYNC_TEST_CASE("what is put while its organisation is erased is removed, and no row comes back",
                "[archive][erasure]") {
  const auto executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  const auto org = co_await bench.settle_with_archive("ours");
  co_await bench.end_one(org);
  Event go_on(executor), ended(executor);
  bench.place->held_puts = &go_on;
  asio::co_spawn(
      executor,
      [&]() -> awaitable<void> {
        const auto done = co_await bench.pass();
        CHECK(done == 0);
        ended.set();
      },
      asio::detached);
  while (bench.place->puts == 0) co_await asio::post(executor, asio::use_awaitable);
  const auto erasure = co_await erase(bench, org);
  auto gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 0);
  auto count = co_await left(bench, erasure);
  CHECK(count == 1);  // the receipt does not say that it is gone
  go_on.set();
  co_await ended.wait();
  CHECK(bench.objects().size() == 1);  // control: it was put after all
  gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 1);
  CHECK(bench.objects().empty());
  count = co_await left(bench, erasure);
  CHECK(count == 0);
  const auto waiting = co_await bench.waiting();
  CHECK(waiting == 0);
  CHECK(must(co_await bench.stores.archive.list(org, {})).items.empty());
}
