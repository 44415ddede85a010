#pragma once

#include "agent/link/supervisor.h"
#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/support/scripted_owner.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;

struct KeptLines final : LogSink {
  std::vector<std::string> lines;
  void write(std::string_view line) override { lines.emplace_back(line); }
};

// Each connect() makes a line in memory and a relay at its other end; or fails, or hangs, as the test says.
struct FakeRelay final : agent::Transport {
  explicit FakeRelay(asio::any_io_executor executor)
      : on(executor),
        tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
        never(executor) {}

  asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(agent::Endpoint to, SteadyTime) override;
  void cut() { cut(lines.size() - 1); }
  void cut(std::size_t line) {
    for (auto& pipe : {lines[line].a_to_b, lines[line].b_to_a}) {
      pipe->broken = true;
      pipe->touch();
    }
  }

  asio::any_io_executor on;
  TaskGroup tasks;
  Event never;
  std::function<std::optional<link::Refusal>(const link::Peer&)> gate;
  bool deaf = false;
  std::chrono::milliseconds heartbeat = 20s;
  bool hangs = false;
  bool wants_time = false;
  std::uint32_t wants = 0;  // links of one agent; 0: it does not know of several
  std::vector<std::string> addresses;
  std::vector<std::string> dialled_at;
  int failures = 0;
  Errc failure = Errc::unavailable;
  std::vector<std::chrono::steady_clock::time_point> dialled;
  std::deque<MemoryLine> lines;
  std::deque<LinkEndpoint> ends;
};

struct FakeWork final : agent::LinkWork {
  explicit FakeWork(asio::any_io_executor executor) : never(executor) {}
  asio::awaitable<void> on_link(link::Session& session) override {
    if (!uses_links) co_return;
    const auto channel = session.open_channel("echo/1");
    co_await never.wait();
  }
  std::string policy_summary_json() override { return R"({"connections":[]})"; }
  asio::awaitable<void> on_jobs(link::Session& session) override {
    ++links;
    std::optional<Result<link::Channel>> channel;
    if (opens_jobs) channel.emplace(session.open_channel("echo/1"));
    if (!returns) co_await never.wait();
  }
  void on_ping(link::Session& session, std::uint64_t nonce) override {
    ++pings;
    if (thinks == 0ms) return session.pong(nonce);
    session.spawn("pong", answer(session, nonce));
  }
  asio::awaitable<void> answer(link::Session& session, std::uint64_t nonce) {
    struct Counted {
      int& count;
      explicit Counted(int& of) : count(++of) {}
      ~Counted() { --count; }
    };
    const Counted counted(thinking);
    co_await sleep_for(thinks);
    session.pong(nonce);
  }
  void on_go_away(link::Session&, const std::string& reason, std::chrono::milliseconds) override { went_away = reason; }
  void on_state(const agent::LinkStatus& status) override {
    if (states.empty() || states.back() != status.state) states.push_back(status.state);
    disowned = status.disowned;
    revoked = status.revoked;
  }
  bool has_to_report() const override { return reports; }
  bool saw(agent::LinkState state) const { return std::ranges::find(states, state) != states.end(); }

  Event never;
  bool returns = false;
  bool opens_jobs = false;
  bool reports = false;
  bool uses_links = false;  // a link that drains stays
  std::chrono::milliseconds thinks{0};
  int thinking = 0;
  int pings = 0;
  int links = 0;
  std::string went_away;
  std::vector<agent::LinkState> states;
  std::string disowned;
  bool revoked = false;
};

// Tells how often somebody looked.
struct WatchedClock final : Clock {
  SteadyTime steady() const override { return ++looks, std::chrono::steady_clock::now() + ahead; }
  WallTime wall() const override { return SystemClock().wall(); }
  mutable std::size_t looks = 0;
  std::chrono::milliseconds ahead{0};
};

// A supervisor between the two. finish() before it dies.
struct SupervisorRig {
  explicit SupervisorRig(asio::any_io_executor executor)
      : relay(executor),
        work(executor),
        tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
        on(executor) {
    restart();
  }

  static agent::SupervisorOptions options() {
    agent::SupervisorOptions options;
    options.session = patient_options(mux::Side::agent);
    options.backoff = {20ms, 200ms, 10s, 200ms};
    options.connect = 30s;
    options.hand_over = 10ms;
    options.unwanted = 150ms;
    options.outdated = 300ms;
    return options;
  }
  // A new process of the same agent, in effect. The one before must have ended.
  void restart() {
    made = std::make_unique<agent::Supervisor>(
        on, settings, agent::Supervisor::Parts{relay, work, nullptr, clock, log, &own_clock}, [] { return 0.5; });
  }
  agent::Supervisor& supervisor() { return *made; }
  void start() { tasks.spawn("supervisor", made->run()); }
  asio::awaitable<bool> until(std::function<bool()> holds) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(1ms);
    co_return holds();
  }
  asio::awaitable<bool> until_state(agent::LinkState state) {
    return until([this, state] { return supervisor().status().state == state; });
  }
  asio::awaitable<void> finish() {
    supervisor().stop("test is over");
    co_await tasks.join();
    relay.tasks.stop();
    co_await relay.tasks.join();
    CHECK(supervisor().status().state == agent::LinkState::stopped);
  }

  WatchedClock clock;
  platform::SystemBootClock boot_clock;
  agent::OwnClock own_clock{clock, boot_clock};
  KeptLines lines;
  Log log{lines, clock};
  FakeRelay relay;
  FakeWork work;
  TaskGroup tasks;
  asio::any_io_executor on;
  agent::SupervisorOptions settings = options();
  std::unique_ptr<agent::Supervisor> made;
};

// Rig for an agent and a relay that know of several links.
struct ManyLinks : SupervisorRig {
  explicit ManyLinks(asio::any_io_executor executor, std::uint32_t wants = 2) : SupervisorRig(executor) {
    settings.session.self.capabilities.emplace_back(link::kLinks);
    settings.second = 0ms;
    relay.wants = wants;
    restart();
  }
  asio::awaitable<bool> until_links(std::size_t count) {
    return until([this, count] { return supervisor().status().links == count; });
  }
};

}  // namespace sallyport::test
