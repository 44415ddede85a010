#include "relay/archive/archiver.h"
#include "tests/contract/archive/any_place.h"
#include "tests/unit/relay/keys/world.h"

// What an erased organisation had in a directory or a bucket is there no more.
using namespace sallyport;
using namespace sallyport::archive;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

struct Bench : KeysWorld {
  Bench(const asio::any_io_executor& executor, Any& any) : KeysWorld(executor), place(*any.place) {
    places.emplace("local", std::move(any.place));
  }
  awaitable<JobId> end_one(OrgId org) {
    const auto job = co_await start(org, {.payload = 4h, .logs = 4h, .archive = 48h});
    co_await finish(job);
    co_return job.job;
  }
  awaitable<std::string> archive_one(OrgId org) {
    const auto job = co_await end_one(org);
    must(co_await archiver.archive_due());
    co_return must(co_await stores.archive.find(org, job)).object;
  }
  awaitable<void> erase(OrgId org) {
    const store::Erasure erasure{.id = crypto::new_id<ErasureId>(clock),
                                 .subject = store::ErasedSubject::organisation,
                                 .org = org,
                                 .person = {},
                                 .asked_by = "system",
                                 .asked_at = clock.wall()};
    must(co_await stores.erasures.begin_organisation(erasure));
    for (std::size_t gone = 1; gone > 0;) gone = must(co_await stores.erasures.erase_some(erasure, 500));
  }

  Place& place;
  Places places;
  jobs::RecipeOutlines outlines{stores.recipes};
  RecordMaker records{{stores.jobs, stores.history, outlines, ring.envelope}};
  Audit audit{stores.audit_log, clock};
  Metrics metrics;
  Archiver archiver{{stores.archive, stores.jobs, ring.store->keys(), records, ring.hierarchy, places, audit, clock,
                     log, metrics, [this] { return std::optional(clock.wall()); }}};
};

}  // namespace

ASYNC_TEST_CASE("every place gives up what an erased organisation had there, and nothing else", "[archive][erasure]") {
  Any any;
  const auto server = std::move(any.server);  // outlives the bench's place
  Bench bench(co_await asio::this_coro::executor, any);
  INFO(bench.place.describe());
  const auto ours = co_await bench.settle("ours"), theirs = co_await bench.settle("theirs");
  for (const auto& org : {ours, theirs}) must(co_await bench.stores.archive.set_place(org, "local", {}));
  std::vector<std::string> objects;
  for (int i = 0; i < 3; ++i) objects.push_back(co_await bench.archive_one(ours));
  const auto other = co_await bench.archive_one(theirs);
  co_await bench.erase(ours);
  for (const auto& object : objects) CHECK(co_await bench.place.get(object));  // control: they are there until now
  if (server) {
    server->control(R"({"mode":"denied"})");
    const auto none = must(co_await bench.archiver.remove_erased());
    CHECK(none == 0);
    CHECK(bench.lines.find("AccessDenied") != std::string::npos);
    CHECK(must(co_await bench.stores.archive.count_to_remove()) == 3);
    server->heal();
    bench.clock.pass(Archiver::kFirstDelay);
  }
  const auto gone = must(co_await bench.archiver.remove_erased());
  CHECK(gone == 3);
  for (const auto& object : objects) {
    const auto got = co_await bench.place.get(object);
    REQUIRE(!got);
    CHECK(got.error().code == Errc::not_found);
  }
  CHECK(co_await bench.place.get(other));
  CHECK(must(co_await bench.stores.archive.count_to_remove()) == 0);
}
