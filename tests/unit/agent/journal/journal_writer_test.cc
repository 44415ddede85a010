#include "agent/journal/journal_writer.h"

#include "shared/async/task_group.h"
#include "tests/support/async_test.h"
#include "tests/unit/agent/journal/fixture.h"

#include <boost/asio/this_coro.hpp>

namespace sallyport::journal {
using namespace test;
namespace asio = boost::asio;

namespace {

asio::awaitable<void> commit_into(JournalWriter& writer, Batch batch, std::vector<Result<void>>& outcomes) {
  auto outcome = co_await writer.commit(std::move(batch));
  outcomes.push_back(std::move(outcome));
}

void ignore(const std::string&, const std::string&) {}

}  // namespace

ASYNC_TEST_CASE("commits of many callers all end, and a refused one hurts nobody", "[journal][writer]") {
  const TempDir dir;
  JournalWriter writer(co_await asio::this_coro::executor, must_open(options_in(dir)));
  std::vector<Result<void>> outcomes;
  TaskGroup callers(co_await asio::this_coro::executor, ignore);
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = "job_" + std::to_string(i % 900);
    callers.spawn("caller", commit_into(writer, {AcceptJob{make_job(id), {}}, AddReport{JobId(id), "r"}}, outcomes));
  }
  co_await callers.join();
  CHECK(outcomes.size() == 1'000);
  CHECK(std::ranges::count_if(outcomes, [](const auto& outcome) { return !outcome; }) == 100);
  const auto jobs = co_await writer.unfinished();
  REQUIRE(jobs);
  CHECK(jobs->size() == 900);
  CHECK(writer.outbox_size().rows == 900);
}

ASYNC_TEST_CASE("a cancelled caller's batch is written all the same", "[journal][writer]") {
  const TempDir dir;
  JournalWriter writer(co_await asio::this_coro::executor, must_open(options_in(dir)));
  std::vector<Result<void>> outcomes;
  TaskGroup callers(co_await asio::this_coro::executor, ignore);
  for (int i = 0; i < 20; ++i) {
    callers.spawn("caller", commit_into(writer, {AcceptJob{make_job("job_" + std::to_string(i)), {}}}, outcomes));
  }
  callers.stop();
  co_await callers.join();
  const auto jobs = co_await writer.unfinished();
  CHECK(jobs->size() == outcomes.size());
}

ASYNC_TEST_CASE("reads see what was committed before", "[journal][writer]") {
  const TempDir dir;
  JournalWriter writer(co_await asio::this_coro::executor, must_open(options_in(dir)));
  const JobId id("job_1");
  const auto accepted = co_await writer.commit({AcceptJob{make_job("job_1", 2), {}}, AddReport{id, "hello"}});
  REQUIRE(accepted);
  const auto stored = co_await writer.load(id);
  CHECK(stored->job.epoch == 2);
  const auto rows = co_await writer.outbox_after(0, 10, 1'000);
  CHECK(rows->at(0).report == "hello");
  const auto held = co_await writer.holding();
  CHECK(held->at(0).id == id);
  const auto found = co_await writer.find(JobId("job_2"));
  CHECK_FALSE(found->has_value());
  const auto cursor = co_await writer.cursor(RecipeId("rcp_1"), "none");
  CHECK_FALSE(cursor->has_value());
  const auto assigned = co_await writer.assignments();
  CHECK(assigned->recipes.empty());
}

}  // namespace sallyport::journal
