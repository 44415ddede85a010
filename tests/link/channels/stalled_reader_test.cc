// A reader that stands still, over real TLS: SALLYPORT_STALL_SECONDS=60 measures for that long, and then holds the
// wall clock to the limit too. The short form counts bytes per CPU second, which other work on the machine does not
// change.
#include "shared/link/channel.h"
#include "tests/unit/shared/link/link_fixture.h"
#include "tests/unit/shared/tls/meeting.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <deque>
#include <numeric>

using namespace sallyport;
using namespace sallyport::test;
namespace asio = boost::asio;

namespace {

constexpr std::size_t kChannels = 8;
constexpr double kLeastShare = 0.8;
constexpr std::uint64_t kMostHeld = 1u << 20;  // of one channel: window, queues and TLS together

std::chrono::milliseconds phase() {
  const char* text = std::getenv("SALLYPORT_STALL_SECONDS");
  return text == nullptr ? std::chrono::milliseconds(700) : std::chrono::milliseconds(std::atoi(text) * 1'000);
}

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

struct Flow {
  explicit Flow(link::Channel channel, const asio::any_io_executor& executor) : out(std::move(channel)), go(executor) {
    go.set();
  }
  link::Channel out;
  std::optional<link::Channel> in;
  Event go;  // the reader reads
  std::uint64_t sent = 0, got = 0;
};

asio::awaitable<void> pump(Flow& flow) {
  const Bytes chunk(64u << 10, std::byte{1});
  while (co_await flow.out.write(chunk)) flow.sent += chunk.size();
}

asio::awaitable<void> take(Flow& flow) {
  Bytes chunk(64u << 10);
  for (;;) {
    co_await flow.go.wait();
    const auto count = co_await flow.in->read_some(chunk);
    if (!count || *count == 0) co_return;
    flow.got += *count;
  }
}

// A link over TLS with channels that never rest; the first one's reader is the one to stop.
struct Bulk {
  Bulk(asio::any_io_executor executor)
      : executor(executor), link(executor), flowing(executor, [](auto& task, auto) { FAIL_CHECK(task << " threw"); }) {
    link.relay.owner.work = [this](link::Session& session) { return accept(session); };
  }
  asio::awaitable<void> start() {
    const SystemClock clock;
    const Pki pki(clock);
    auto met = co_await meet(relay_context(pki), agent_context(pki));
    REQUIRE(met.relay);
    REQUIRE(met.agent);
    link.line.a = std::move(*met.agent);
    link.line.b = std::move(*met.relay);
    link.start();
    const bool ready = co_await link.until([this] { return link.agent.session->proven(); });
    REQUIRE(ready);
    for (std::size_t i = 0; i < kChannels; ++i) {
      flows.emplace_back(link.agent.session->open_channel("echo/1").value(), executor);
      const bool there = co_await link.until([&] { return flows.back().in.has_value(); });
      REQUIRE(there);
    }
    for (auto& flow : flows) {
      flowing.spawn("pump", pump(flow));
      flowing.spawn("take", take(flow));
    }
  }
  asio::awaitable<void> accept(link::Session& session) {
    for (;;) {
      auto incoming = co_await session.accept_channel();
      if (!incoming) co_return;
      flows.back().in = std::move(incoming->channel);
    }
  }
  asio::awaitable<void> finish() {
    flowing.stop();
    co_await flowing.join();
    link.agent.session->stop("test is over");
    co_await link.join();
    flows.clear();
  }
  std::uint64_t got_by_others() const {
    return std::accumulate(std::next(flows.begin()), flows.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const Flow& flow) { return sum + flow.got; });
  }

  asio::any_io_executor executor;
  LinkPair link;
  std::deque<Flow> flows;
  TaskGroup flowing;
};

struct Rate {
  double per_cpu_second = 0;
  double per_second = 0;
};

asio::awaitable<Rate> measure(const Bulk& bulk) {
  const auto bytes = bulk.got_by_others();
  const auto cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  co_await sleep_for(phase());
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const auto moved = static_cast<double>(bulk.got_by_others() - bytes);
  co_return Rate{moved / (cpu_seconds() - cpu), moved / wall.count()};
}

}  // namespace

ASYNC_TEST_CASE("one reader that stands still leaves the others their throughput", "[link][stall]") {
  Bulk bulk(co_await asio::this_coro::executor);
  co_await bulk.start();
  auto& stalled = bulk.flows.front();
  co_await sleep_for(phase() / 4);  // windows and buffers fill
  const auto before = co_await measure(bulk);
  stalled.go.clear();
  const auto sent = stalled.sent;
  const auto during = co_await measure(bulk);
  const double share = during.per_cpu_second / before.per_cpu_second;
  const auto figures = fmt::format(
      "{} channels, one reader stands still for {} ms: the others keep {:.2f} of their bytes per CPU second, {:.2f} of "
      "their bytes per second ({:.0f} MB/s)",
      kChannels, phase().count(), share, during.per_second / before.per_second, during.per_second / 1e6);
  INFO(figures);
  if (std::getenv("SALLYPORT_STALL_SECONDS") != nullptr) WARN(figures);
  CHECK(share >= kLeastShare);
  if (phase() >= std::chrono::seconds(30)) CHECK(during.per_second >= kLeastShare * before.per_second);
  CHECK(stalled.sent <= stalled.got + kMostHeld);
  CHECK(stalled.sent <= sent + kMostHeld);

  const auto got = stalled.got;
  stalled.go.set();
  const bool goes_on = co_await bulk.link.until([&] { return stalled.got > got + 2 * kMostHeld; });
  CHECK(goes_on);
  co_await bulk.finish();
}
