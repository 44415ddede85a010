#include "agent/runner/report_pump.h"

#include "agent/runner/wire.h"
#include "proto/sallyport/v1/jobs.pb.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace sallyport::runner {
using namespace test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kReport = 200'000;

// A link with this many bytes in a second, and nothing else wrong with it.
class SlowUplink final : public Uplink {
 public:
  SlowUplink(MovedClock& clock, std::size_t bytes_per_second) : clock_(clock), rate_(bytes_per_second) {}
  asio::awaitable<Result<void>> send(std::string message) override {
    clock_.move(std::chrono::milliseconds(1 + message.size() * 1'000 / rate_));
    co_await sleep_for(1ms);
    v1::ToRelay parsed;
    REQUIRE(parsed.ParseFromString(message));
    if (parsed.has_holding()) holdings.push_back(clock_.now());
    if (parsed.has_report()) {
      ++reports;
      bytes += message.size();
      last_seq = parsed.report().seq();
    }
    co_return Result<void>();
  }
  std::vector<platform::BootTime> holdings;
  std::size_t reports = 0;
  std::size_t bytes = 0;
  std::uint64_t last_seq = 0;

 private:
  MovedClock& clock_;
  std::size_t rate_;
};

// A pump over a journal with a history that nobody has heard yet, and one running job.
struct PumpRig {
  explicit PumpRig(asio::any_io_executor executor, int backlog)
      : bench(executor),
        journal(executor, journal_with(backlog)),
        core(executor,
             {.journal = journal,
              .spool = *spool,
              .actions = {},
              .triggers = {},
              .openers = {},
              .secret = nullptr,
              .clock = bench.clock,
              .boot_clock = bench.clock,
              .log = bench.log()},
             {}),
        pump(core, {[] { return std::vector<journal::HeldJob>{{JobId(kJob1), 1}}; }, [] { return 0u; },
                    [] { return std::uint64_t{0}; }}),
        serving(executor, [](const std::string&, const std::string&) {}) {}

  std::unique_ptr<journal::Journal> journal_with(int backlog) {
    auto opened = journal::test::must_open(journal::test::options_in(bench.dir));
    const report::StepFinished body{.path = "a", .status = "succeeded", .output_json = std::string(kReport, '1')};
    for (int i = 0; i < backlog; ++i)
      REQUIRE(opened->apply({journal::AddReport{JobId(), wire::encode_body(body, bench.clock.wall())}}));
    spool = journal::Spool::open(bench.dir / "spool", journal::test::test_key(), {}).value();
    return opened;
  }
  asio::awaitable<void> finish() {
    serving.stop();
    co_await serving.join();
    co_await core.tasks.join();
  }

  EngineBench bench;
  std::unique_ptr<journal::Spool> spool;
  journal::JournalWriter journal;
  EngineCore core;
  ReportPump pump;
  TaskGroup serving;
};

// The pump has nothing to send: while it asks the journal and sends one report, this asks and waits as well, and more.
asio::awaitable<void> until_it_rests(PumpRig& rig, const SlowUplink& uplink) {
  std::size_t before = 0;
  for (int still = 0; still < 4; ++still) {
    if (std::exchange(before, uplink.reports) != uplink.reports || uplink.reports == 0) still = 0;
    const auto asked = co_await rig.journal.holding();
    REQUIRE(asked.has_value());
    co_await pause(2ms);
  }
}

// Takes nothing, and fails when it is told to.
class StuckUplink final : public Uplink {
 public:
  explicit StuckUplink(const asio::any_io_executor& executor) : fails_(executor) {}
  asio::awaitable<Result<void>> send(std::string) override {
    co_await fails_.wait();
    co_return fail(Errc::cancelled, "the channel was reset by the test");
  }
  void break_off() { fails_.set(); }

 private:
  Event fails_;
};

asio::awaitable<void> want_room(ReportPump& pump, bool& has_room) {
  co_await pump.wait_for_room();
  has_room = true;
}

}  // namespace

ASYNC_TEST_CASE("nobody waits for room that nobody makes any more", "[pump][bounds]") {
  const auto executor = co_await asio::this_coro::executor;
  PumpRig rig(executor, 0);
  StuckUplink uplink(executor);
  rig.serving.spawn("serve", rig.pump.serve(uplink));
  co_await pause(5ms);
  for (int i = 0; i < 300; ++i) rig.pump.answer("an answer");
  bool has_room = false;
  rig.serving.spawn("reader", want_room(rig.pump, has_room));
  co_await pause(20ms);
  CHECK_FALSE(has_room);
  uplink.break_off();
  co_await until([&] { return has_room; }, "the reader goes on");
  for (int i = 0; i < 300; ++i) rig.pump.answer("an answer");
  has_room = false;
  rig.serving.spawn("reader", want_room(rig.pump, has_room));
  co_await until([&] { return has_room; }, "there is room where nobody serves");
  co_await rig.finish();
}

// 128 KiB in a second, reports of 200 KB, a lease of 30 s: every ten seconds a Holding, whatever is waiting behind it.
ASYNC_TEST_CASE("a backlog on a slow link never keeps back a Holding", "[pump][lease]") {
  PumpRig rig(co_await asio::this_coro::executor, 60);
  SlowUplink uplink(rig.bench.clock, 128u << 10);
  rig.serving.spawn("serve", rig.pump.serve(uplink));
  std::uint64_t confirmed = 0;
  while (uplink.reports < 60) {
    co_await until([&] { return uplink.last_seq > confirmed; }, "a report goes out");
    confirmed = uplink.last_seq;
    REQUIRE(rig.pump.confirmed(confirmed));
  }
  REQUIRE(uplink.holdings.size() >= 8);
  for (std::size_t i = 1; i < uplink.holdings.size(); ++i) CHECK(uplink.holdings[i] - uplink.holdings[i - 1] < 15s);
  co_await rig.finish();
}

ASYNC_TEST_CASE("how much is under way follows how fast it is confirmed", "[pump][bounds]") {
  PumpRig rig(co_await asio::this_coro::executor, 120);
  SlowUplink uplink(rig.bench.clock, 1u << 30);
  rig.serving.spawn("serve", rig.pump.serve(uplink));
  std::size_t confirmed_bytes = 0;
  const auto under_way = [&] { return uplink.bytes - confirmed_bytes; };
  const auto confirm = [&] {
    confirmed_bytes = uplink.bytes;
    return rig.pump.confirmed(uplink.last_seq);
  };
  co_await until_it_rests(rig, uplink);
  CHECK(under_way() > 200'000);
  CHECK(under_way() < 512u << 10);  // before anything is known of the link
  for (int i = 0; i < 3; ++i) {
    REQUIRE(confirm());
    co_await until_it_rests(rig, uplink);
  }
  const auto fast = under_way();
  CHECK(fast > 1u << 20);
  CHECK(fast <= (4u << 20) + kReport + 1'000);
  rig.bench.clock.move(6s);  // a sixth of a lease, and more
  REQUIRE(confirm());
  co_await until_it_rests(rig, uplink);
  CHECK(under_way() < fast * 3 / 4);
  co_await rig.finish();
}

}  // namespace sallyport::runner
