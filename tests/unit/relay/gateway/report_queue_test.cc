#include "relay/gateway/report_queue.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/rethrow.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

using namespace sallyport;
using gateway::ReportQueue;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

jobs::Report report(std::uint64_t seq) { return {.seq = seq, .job = JobId("job_1"), .what = jobs::ReportedJobStart{}}; }

asio::awaitable<void> put_all(ReportQueue& queue, std::uint64_t count, std::size_t bytes, std::uint64_t& in) {
  while (in < count) {
    co_await queue.put(report(in + 1), bytes);
    ++in;
  }
}

// Until nothing on the loop moves any more.
asio::awaitable<void> settle() {
  for (int turn = 0; turn < 20; ++turn) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

asio::awaitable<void> put_later(ReportQueue& queue) {
  co_await settle();
  co_await queue.put(report(1), 10);
}

asio::awaitable<void> take(ReportQueue& queue, std::size_t& taken) { taken = (co_await queue.oldest()).size(); }

}  // namespace

ASYNC_TEST_CASE("reports come in order, in bounded batches, and again until they are stored", "[gateway][reports]") {
  ReportQueue queue(co_await asio::this_coro::executor);
  std::uint64_t in = 0;
  co_await put_all(queue, ReportQueue::kAtOnce + 4, 10, in);
  for (int time = 0; time < 2; ++time) {
    const auto batch = co_await queue.oldest();
    REQUIRE(batch.size() == ReportQueue::kAtOnce);
    CHECK(batch.front().seq == 1);
    CHECK(batch.back().seq == ReportQueue::kAtOnce);
  }
  queue.stored(ReportQueue::kAtOnce);
  CHECK(queue.size() == 4);
  CHECK(queue.bytes() == 40);
  const auto rest = co_await queue.oldest();
  REQUIRE(rest.size() == 4);
  CHECK(rest.front().seq == ReportQueue::kAtOnce + 1);
  queue.stored(4);
  CHECK(queue.bytes() == 0);
}

ASYNC_TEST_CASE("a full queue holds the next report back until there is room", "[gateway][reports][bounds]") {
  const auto executor = co_await asio::this_coro::executor;
  struct Row {
    std::size_t bytes;
    std::size_t fit;
  };
  for (const auto& row : {Row{1, ReportQueue::kMaxReports}, Row{ReportQueue::kMaxBytes / 4, 4},
                          Row{ReportQueue::kMaxBytes / 4 + 1, 4}, Row{ReportQueue::kMaxBytes * 2, 1}}) {
    INFO(row.bytes << " bytes each");
    ReportQueue queue(executor);
    TaskGroup tasks(executor, rethrow);
    std::uint64_t in = 0;
    tasks.spawn("put", put_all(queue, row.fit + 2, row.bytes, in));
    co_await settle();
    CHECK(in == row.fit);
    queue.stored(1);
    co_await settle();
    CHECK(in == row.fit + 1);
    queue.stored(1);
    co_await tasks.join();
    CHECK(in == row.fit + 2);
    CHECK(queue.size() == row.fit);
    CHECK(queue.bytes() == row.fit * row.bytes);
  }
}

ASYNC_TEST_CASE("who takes waits for the first report", "[gateway][reports]") {
  const auto executor = co_await asio::this_coro::executor;
  ReportQueue queue(executor);
  TaskGroup tasks(executor, rethrow);
  tasks.spawn("put", put_later(queue));
  const auto batch = co_await queue.oldest();
  CHECK(batch.size() == 1);
  co_await tasks.join();
}

ASYNC_TEST_CASE("both waits end by cancellation", "[gateway][reports]") {
  const auto executor = co_await asio::this_coro::executor;
  ReportQueue empty(executor), full(executor);
  std::size_t taken = 0;
  std::uint64_t in = 0;
  co_await put_all(full, ReportQueue::kMaxReports, 1, in);
  TaskGroup tasks(executor, rethrow);
  tasks.spawn("put", put_later(full));
  tasks.spawn("take", take(empty, taken));
  co_await settle();
  co_await settle();
  CHECK(tasks.size() == 2);
  tasks.stop();
  co_await tasks.join();
  CHECK(full.size() == ReportQueue::kMaxReports);
  CHECK(taken == 0);
}
