#include "relay/tunnels/access_log.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/rethrow.h"
#include "tests/unit/relay/tunnels/tunnel_book.h"

#include <boost/asio/this_coro.hpp>

#include <numeric>

using namespace sallyport;
using namespace sallyport::test;
using namespace sallyport::tunnels;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

const OrgId kOrg("org_A"), kOther("org_B");

store::TunnelConnection open_record(int n) {
  return {.id = TunnelConnectionId("tcn_" + std::to_string(n)),
          .tunnel = TunnelId("tun_1"),
          .source = "192.0.2.1",
          .opened_at = from_unix_ms(1'000)};
}

store::TunnelConnection closed_record(int n) {
  auto record = open_record(n);
  record.closed_at = from_unix_ms(2'000);
  record.end = "finished";
  return record;
}

struct Lines final : LogSink {
  std::vector<std::string> lines;
  void write(std::string_view line) override { lines.emplace_back(line); }
  std::size_t count(std::string_view word) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines, [&](const std::string& line) { return line.contains(word); }));
  }
};

constexpr AccessLogLimits kQuick{.gather = 5ms, .retry = 1ms};

// A log that writes; finish() before it dies.
struct Bench {
  explicit Bench(asio::any_io_executor on, AccessLogLimits limits = kQuick)
      : records(on, {book, log, dropped}, limits), tasks(on, rethrow) {}
  void start() { tasks.spawn("writing", records.run()); }
  asio::awaitable<void> finish(std::chrono::milliseconds patience = 10s) {
    records.close(std::chrono::steady_clock::now() + patience);
    co_await tasks.join();
  }
  asio::awaitable<bool> until(std::function<bool()> holds) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(1ms);
    co_return holds();
  }

  SystemClock clock;
  Lines lines;
  Log log{lines, clock};
  TunnelBook book;
  Counter dropped;
  AccessLog records;
  TaskGroup tasks;
};

std::size_t sum(const std::vector<std::pair<OrgId, std::size_t>>& batches) {
  return std::accumulate(batches.begin(), batches.end(), std::size_t{0},
                         [](std::size_t all, const auto& one) { return all + one.second; });
}

}  // namespace

ASYNC_TEST_CASE("a record is written within the time it may wait, its end completes it", "[tunnels]") {
  Bench bench(co_await asio::this_coro::executor);
  bench.start();
  bench.records.note(kOrg, open_record(1));
  bool written = co_await bench.until([&] { return bench.book.records.size() == 1; });
  REQUIRE(written);
  CHECK_FALSE(bench.book.records.begin()->second.closed_at);
  bench.records.note(kOrg, closed_record(1));
  written = co_await bench.until([&] { return bench.book.ended("finished") == 1; });
  CHECK(written);
  CHECK(bench.book.batches.size() == 2);
  co_await bench.finish();
}

ASYNC_TEST_CASE("a connection that ends before its begin was written costs one write", "[tunnels]") {
  Bench bench(co_await asio::this_coro::executor);
  for (int n = 0; n < 10; ++n) {
    bench.records.note(kOrg, open_record(n));
    bench.records.note(kOrg, closed_record(n));
  }
  CHECK(bench.records.waiting() == 10);
  bench.start();
  co_await bench.finish();
  CHECK(bench.book.ended("finished") == 10);
  CHECK(bench.book.batches == std::vector{std::pair(kOrg, std::size_t{10})});
}

ASYNC_TEST_CASE("a batch is of one organisation and at most 256 records", "[tunnels][tenancy]") {
  Bench bench(co_await asio::this_coro::executor);
  for (int n = 0; n < 600; ++n) bench.records.note(n % 2 == 0 ? kOrg : kOther, closed_record(n));
  bench.start();
  co_await bench.finish();
  CHECK(bench.book.records.size() == 600);
  CHECK(sum(bench.book.batches) == 600);
  for (const auto& [org, size] : bench.book.batches) CHECK(size <= 256);
}

ASYNC_TEST_CASE("records of many organisations wait no longer than those of one", "[tunnels]") {
  auto limits = kQuick;
  limits.gather = 200ms;
  Bench bench(co_await asio::this_coro::executor, limits);
  bench.start();
  const auto begun = std::chrono::steady_clock::now();
  for (int n = 0; n < 30; ++n) bench.records.note(OrgId("org_" + std::to_string(n)), closed_record(n));
  const bool written = co_await bench.until([&] { return bench.book.records.size() == 30; });
  CHECK(written);
  CHECK(bench.book.batches.size() == 30);
  CHECK(std::chrono::steady_clock::now() - begun < 3s);  // and not 30 times 200 ms
  co_await bench.finish();
}

ASYNC_TEST_CASE("what the store refuses is tried again, and told once in a while", "[tunnels]") {
  Bench bench(co_await asio::this_coro::executor);
  bench.start();
  int refusals = 0;
  bench.book.refuse = [&](const auto&) -> std::optional<Error> {
    if (++refusals > 20) return std::nullopt;
    return Error{Errc::unavailable, "the disk is full"};
  };
  bench.records.note(kOrg, open_record(1));
  const bool tried = co_await bench.until([&] { return refusals > 3; });
  CHECK(tried);
  bench.records.note(kOrg, closed_record(1));
  const bool written = co_await bench.until([&] { return bench.book.ended("finished") == 1; });
  CHECK(written);
  CHECK(bench.lines.count("access_records.not_stored") == 1);
  CHECK(bench.lines.count("the disk is full") == 1);
  CHECK(bench.dropped.value() == 0);
  co_await bench.finish();
}

ASYNC_TEST_CASE("of too many records the open ones go first, then the oldest, and each is counted", "[tunnels]") {
  auto limits = kQuick;
  limits.waiting = 10;
  Bench bench(co_await asio::this_coro::executor, limits);
  for (int n = 0; n < 6; ++n) bench.records.note(kOrg, open_record(100 + n));
  for (int n = 0; n < 8; ++n) bench.records.note(kOrg, closed_record(n));
  CHECK(bench.records.waiting() == 10);
  CHECK(bench.dropped.value() == 0);  // their ends are still to come
  for (int n = 8; n < 13; ++n) bench.records.note(kOrg, closed_record(n));
  CHECK(bench.records.waiting() == 10);
  CHECK(bench.dropped.value() == 3);
  bench.start();
  co_await bench.finish();
  CHECK(bench.book.records.size() == 10);
  CHECK_FALSE(bench.book.records.contains(TunnelConnectionId("tcn_2")));
  CHECK(bench.book.records.contains(TunnelConnectionId("tcn_3")));
}

ASYNC_TEST_CASE("a record that the store never takes costs no other", "[tunnels]") {
  for (const auto code : {Errc::not_found, Errc::invalid, Errc::conflict, Errc::too_large}) {
    Bench bench(co_await asio::this_coro::executor);
    bench.book.refuse = [&](const std::vector<store::TunnelConnection>& records) -> std::optional<Error> {
      for (const auto& one : records) {
        if (one.id == TunnelConnectionId("tcn_7")) return Error{code, "no such tunnel"};
      }
      return std::nullopt;
    };
    for (int n = 0; n < 20; ++n) bench.records.note(kOrg, closed_record(n));
    bench.start();
    co_await bench.finish();
    CHECK(bench.book.records.size() == 19);
    CHECK(bench.dropped.value() == 1);
    CHECK(bench.lines.count("access_records.dropped") == 1);
  }
}

ASYNC_TEST_CASE("at the end what waits is written until the deadline, and what is lost is told", "[tunnels]") {
  Bench bench(co_await asio::this_coro::executor);
  bench.start();
  bench.book.broken = Error{Errc::unavailable, "the disk is full"};
  for (int n = 0; n < 5; ++n) bench.records.note(kOrg, closed_record(n));
  co_await bench.finish(50ms);
  CHECK(bench.book.records.empty());
  CHECK(bench.dropped.value() == 5);
  CHECK(bench.lines.count("the relay stopped before") == 1);
}
