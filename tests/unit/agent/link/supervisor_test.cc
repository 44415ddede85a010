#include "agent/link/supervisor.h"

#include "shared/async/event.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/support/scripted_owner.h"

#include <boost/asio/this_coro.hpp>

#include <deque>
#include <set>

using namespace sallyport;
using namespace sallyport::agent;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

struct NoLog final : LogSink {
  std::vector<std::string> lines;
  void write(std::string_view line) override { lines.emplace_back(line); }
};

// Each connect() makes a line in memory and a relay at its other end; or fails, or hangs, as the test says.
struct FakeRelay final : Transport {
  explicit FakeRelay(asio::any_io_executor executor)
      : on(executor),
        tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
        never(executor) {}

  asio::awaitable<Result<std::unique_ptr<ByteStream>>> connect(Endpoint to, SteadyTime) override {
    dialled_at.push_back(to_string(to));
    dialled.push_back(std::chrono::steady_clock::now());
    if (hangs) co_await never.wait();
    if (failures > 0) {
      --failures;
      co_return fail(failure, "connection refused by the test");
    }
    lines.push_back(memory_line(on));
    auto& end = ends.emplace_back();
    end.owner.gate = gate;
    end.owner.deaf = deaf;
    auto options = patient_options(mux::Side::relay);
    options.times.heartbeat = heartbeat;
    if (wants > 0) options.self.capabilities.emplace_back(link::kLinks);
    options.self.links = wants;
    options.self.addresses = addresses;
    options.times.misses = 1'000'000;  // the agent is the one that judges
    end.session =
        std::make_unique<link::Session>(on, std::move(lines.back().b), std::move(options), end.owner, end.clock);
    tasks.spawn("relay", run_endpoint(end));
    co_return std::move(lines.back().a);
  }
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
  std::uint32_t wants = 0;  // links of one agent; 0: it does not know of several
  std::vector<std::string> addresses;
  std::vector<std::string> dialled_at;
  int failures = 0;
  Errc failure = Errc::unavailable;
  std::vector<std::chrono::steady_clock::time_point> dialled;
  std::deque<MemoryLine> lines;
  std::deque<LinkEndpoint> ends;
};

struct Work final : LinkWork {
  explicit Work(asio::any_io_executor executor) : never(executor) {}
  asio::awaitable<void> on_link(link::Session& session) override {
    if (!uses_links) co_return;
    const auto channel = session.open_channel("echo/1");
    co_await never.wait();
  }
  std::string policy_summary_json() override { return R"({"connections":[]})"; }
  asio::awaitable<void> on_jobs(link::Session&) override {
    ++links;
    if (!returns) co_await never.wait();
  }
  void on_ping(link::Session& session, std::uint64_t nonce) override {
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
  void on_state(const LinkStatus& status) override {
    if (states.empty() || states.back() != status.state) states.push_back(status.state);
    disowned = status.disowned;
  }
  bool saw(LinkState state) const { return std::ranges::find(states, state) != states.end(); }

  Event never;
  bool returns = false;
  bool uses_links = false;  // a link that drains stays
  std::chrono::milliseconds thinks{0};
  int thinking = 0;
  int links = 0;
  std::string went_away;
  std::vector<LinkState> states;
  std::string disowned;
};

// Tells how often somebody looked.
struct WatchedClock final : Clock {
  SteadyTime steady() const override { return ++looks, std::chrono::steady_clock::now(); }
  WallTime wall() const override { return SystemClock().wall(); }
  mutable std::size_t looks = 0;
};

struct Rig {
  explicit Rig(asio::any_io_executor executor)
      : relay(executor),
        work(executor),
        tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }),
        on(executor) {
    restart();
  }

  static SupervisorOptions options() {
    SupervisorOptions options;
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
    made = std::make_unique<Supervisor>(on, settings, Supervisor::Parts{relay, work, nullptr, clock, log},
                                        [] { return 0.5; });
  }
  Supervisor& supervisor() { return *made; }
  void start() { tasks.spawn("supervisor", made->run()); }
  asio::awaitable<bool> until(std::function<bool()> holds) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!holds() && std::chrono::steady_clock::now() < deadline) co_await sleep_for(1ms);
    co_return holds();
  }
  asio::awaitable<bool> until_state(LinkState state) {
    return until([this, state] { return supervisor().status().state == state; });
  }
  asio::awaitable<void> finish() {
    supervisor().stop("test is over");
    co_await tasks.join();
    relay.tasks.stop();
    co_await relay.tasks.join();
    CHECK(supervisor().status().state == LinkState::stopped);
  }

  WatchedClock clock;
  NoLog lines;
  Log log{lines, clock};
  FakeRelay relay;
  Work work;
  TaskGroup tasks;
  asio::any_io_executor on;
  SupervisorOptions settings = options();
  std::unique_ptr<Supervisor> made;
};

}  // namespace

ASYNC_TEST_CASE("a link is ready after Welcome and a round trip", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  CHECK(ready);
  CHECK(rig.supervisor().status().relay_software == "sallyport-relay/test");
  CHECK(rig.relay.ends[0].session->peer().policy_summary_json == R"({"connections":[]})");
  co_await rig.finish();
  CHECK(rig.work.states == std::vector{LinkState::connecting, LinkState::ready, LinkState::stopped});
}

ASYNC_TEST_CASE("a relay whose dispatch path is deaf is never ready, and is left", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.deaf = true;
  rig.relay.heartbeat = 100ms;
  rig.start();
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 2; });
  CHECK(again);
  CHECK_FALSE(rig.work.saw(LinkState::ready));
  CHECK(rig.supervisor().status().last_problem.find("silent_peer") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a lost link comes back, and its work begins anew", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  for (int round = 1; round <= 3; ++round) {
    const bool ready = co_await rig.until(
        [&] { return rig.work.links == round && rig.supervisor().status().state == LinkState::ready; });
    REQUIRE(ready);
    rig.relay.cut();
    const bool lost = co_await rig.until_state(LinkState::connecting);
    REQUIRE(lost);
  }
  CHECK(rig.supervisor().status().last_problem.find("stream_failed") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("failed attempts are repeated with back-off", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.failures = 4;
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  REQUIRE(rig.relay.dialled.size() == 5);
  const std::vector<std::chrono::milliseconds> least = {10ms, 20ms, 40ms, 80ms};
  for (std::size_t i = 0; i < least.size(); ++i) CHECK(rig.relay.dialled[i + 1] - rig.relay.dialled[i] >= least[i]);
  CHECK(rig.supervisor().status().last_problem.find("connection refused") != std::string::npos);
  co_await rig.finish();
}

ASYNC_TEST_CASE("after an outage an agent is back as soon as after a moment, after refusals it is not", "[link]") {
  for (const auto code : {Errc::unavailable, Errc::timed_out, Errc::unauthenticated}) {
    INFO(to_string(code));
    Rig rig(co_await asio::this_coro::executor);
    rig.settings.backoff = {10ms, 60s, 10s, 40ms};  // half of each wait, as chance has it here
    rig.restart();
    rig.relay.failure = code;
    rig.relay.failures = 8;
    rig.start();
    const bool tried = co_await rig.until([&] { return rig.relay.failures == 0; });
    REQUIRE(tried);
    const auto failed = std::chrono::steady_clock::now();
    const bool ready = co_await rig.until_state(LinkState::ready);
    REQUIRE(ready);
    const auto late = std::chrono::steady_clock::now() - failed;
    CAPTURE(std::chrono::duration_cast<std::chrono::milliseconds>(late).count());
    CHECK((late < 500ms) == (code != Errc::unauthenticated));
    CHECK(rig.supervisor().status().failures == 8);
    const auto told = [](const auto& line) { return line.find("link.attempt_failed") != std::string::npos; };
    CHECK(std::ranges::count_if(rig.lines.lines, told) == 1);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("a link that breaks comes back at once, however often; one that never was ready does not", "[link]") {
  for (const bool ready_before : {true, false}) {
    INFO((ready_before ? "ready" : "never ready"));
    Rig rig(co_await asio::this_coro::executor);
    rig.settings.backoff = {10ms, 60s, 10s, 40ms};
    rig.restart();
    if (!ready_before) rig.relay.heartbeat = 20s, rig.relay.deaf = true;
    rig.start();
    for (std::size_t link = 1; link <= 8; ++link) {
      const bool there = co_await rig.until([&] {
        if (rig.relay.ends.size() != link) return false;
        return !ready_before || rig.supervisor().status().state == LinkState::ready;
      });
      REQUIRE(there);
      rig.relay.cut();
      const bool lost = co_await rig.until([&] { return rig.supervisor().status().failures == link; });
      REQUIRE(lost);
    }
    const auto cut = std::chrono::steady_clock::now();
    const bool again = co_await rig.until([&] { return rig.relay.ends.size() == 9; });
    REQUIRE(again);
    CHECK((std::chrono::steady_clock::now() - cut < 500ms) == ready_before);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("a refusal with a time is honoured, a revoked agent waits for its restart", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [](const link::Peer&) { return link::Refusal{"overloaded", "later", 150ms}; };
  rig.start();
  bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 2; });
  REQUIRE(again);
  CHECK(rig.relay.dialled[1] - rig.relay.dialled[0] >= 150ms);

  rig.relay.gate = [](const link::Peer&) { return link::Refusal{"revoked", "not any more", 0ms}; };
  const bool refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  const auto attempts = rig.relay.dialled.size();
  co_await sleep_for(500ms);  // longer than any back-off here: nothing may happen
  CHECK(rig.relay.dialled.size() == attempts);
  CHECK(rig.supervisor().status().last_problem.find("revoked") != std::string::npos);

  rig.relay.gate = nullptr;
  rig.supervisor().stop("the agent restarts");
  co_await rig.tasks.join();
  rig.restart();
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  CHECK(ready);
  co_await rig.finish();
}

ASYNC_TEST_CASE("an agent without a common version looks in now and then, and is back after a roll-back", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [](const link::Peer&) { return link::Refusal{"version", "this relay speaks 7 to 9", 0ms}; };
  rig.start();
  bool refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 3; });
  REQUIRE(again);
  for (int i = 0; i < 2; ++i) CHECK(rig.relay.dialled[i + 1] - rig.relay.dialled[i] >= 300ms);
  refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  CHECK(rig.work.disowned.empty());
  rig.relay.gate = nullptr;
  const bool ready = co_await rig.until_state(LinkState::ready);
  CHECK(ready);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a refusal without a time parks the agent only when nothing but a person can help", "[link]") {
  struct Case {
    const char* code;
    std::chrono::milliseconds least;  // until it tries again; 0: it does not
    bool disowned;
  };
  const auto [code, least, disowned] = GENERATE(values<Case>({{"revoked", 0ms, true},
                                                              {"version", 300ms, false},
                                                              {"protocol", 150ms, false},
                                                              {"replaced", 150ms, false},
                                                              {"moved", 150ms, false},
                                                              {"overloaded", 150ms, false},
                                                              {"quarantined", 150ms, true},
                                                              {"a word of a later relay", 150ms, false}}));
  INFO(code);
  Rig rig(co_await asio::this_coro::executor);
  rig.relay.gate = [code = code](const link::Peer&) { return link::Refusal{code, "no", 0ms}; };
  rig.start();
  if (least == 0ms) {
    const bool refused = co_await rig.until_state(LinkState::refused);
    CHECK(refused);
    CHECK(rig.work.disowned == code);
    co_return co_await rig.finish();
  }
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() >= 2; });
  REQUIRE(again);
  CHECK(rig.relay.dialled[1] - rig.relay.dialled[0] >= least);
  CHECK(rig.work.saw(LinkState::refused) == (std::string_view(code) == "version"));
  CHECK(rig.work.disowned == (disowned ? code : ""));
  rig.relay.failures = 2;  // that a link cannot be had says nothing else about the agent
  const bool tried = co_await rig.until([&] { return rig.relay.failures == 0; });
  REQUIRE(tried);
  CHECK(rig.work.disowned == (disowned ? code : ""));
  rig.relay.gate = nullptr;
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  CHECK(rig.work.disowned.empty());
  co_await rig.finish();
}

ASYNC_TEST_CASE("a Pong that comes late never reaches a later link", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.work.thinks = 120ms;
  rig.start();
  bool there = co_await rig.until([&] { return rig.work.links == 1 && rig.relay.ends[0].session->proven(); });
  REQUIRE(there);
  there = co_await rig.until([&] { return rig.work.thinking > 0; });
  REQUIRE(there);
  rig.relay.cut();
  there = co_await rig.until([&] { return rig.supervisor().status().state == LinkState::connecting; });
  REQUIRE(there);
  CHECK(rig.work.thinking == 0);  // gone with its link
  there = co_await rig.until([&] { return rig.work.links == 2 && rig.relay.ends[1].session->proven(); });
  CHECK(there);
  CHECK_FALSE(rig.relay.ends[1].end);
  co_await rig.finish();
}

ASYNC_TEST_CASE("stopping works while dialling and while waiting", "[link]") {
  auto executor = co_await asio::this_coro::executor;
  Rig dialling(executor);
  dialling.relay.hangs = true;
  dialling.start();
  bool there = co_await dialling.until([&] { return !dialling.relay.dialled.empty(); });
  REQUIRE(there);
  co_await dialling.finish();

  Rig waiting(executor);
  waiting.relay.gate = [](const link::Peer&) { return link::Refusal{"revoked", "no", 0ms}; };
  waiting.start();
  there = co_await waiting.until_state(LinkState::refused);
  REQUIRE(there);
  co_await waiting.finish();
}

ASYNC_TEST_CASE("cancelling run() ends the link too", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.tasks.stop();
  co_await rig.tasks.join();
  CHECK(rig.supervisor().status().state == LinkState::stopped);
  co_await rig.relay.tasks.join();
  CHECK(rig.relay.ends[0].end->end == link::LinkEnd::peer_closed);
}

ASYNC_TEST_CASE("a drain tells the relay and ends by itself", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  const bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.supervisor().drain("SIGTERM", 5s);
  co_await rig.tasks.join();
  co_await rig.relay.tasks.join();
  CHECK(rig.relay.ends[0].owner.went_away == "SIGTERM");
  CHECK(rig.relay.ends[0].end->end == link::LinkEnd::drained);
  CHECK(rig.work.states ==
        std::vector{LinkState::connecting, LinkState::ready, LinkState::draining, LinkState::stopped});
}

ASYNC_TEST_CASE("a relay that goes away is left and dialled again", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.start();
  bool ready = co_await rig.until_state(LinkState::ready);
  REQUIRE(ready);
  rig.relay.ends[0].session->go_away("upgrade", 5s);
  ready = co_await rig.until(
      [&] { return rig.relay.ends.size() == 2 && rig.supervisor().status().state == LinkState::ready; });
  CHECK(ready);
  CHECK(rig.work.went_away == "upgrade");
  CHECK(rig.work.saw(LinkState::draining));
  co_await rig.finish();
}

ASYNC_TEST_CASE("a link whose work returned is replaced", "[link]") {
  Rig rig(co_await asio::this_coro::executor);
  rig.work.returns = true;
  rig.start();
  const bool again = co_await rig.until([&] { return rig.work.links >= 2; });
  CHECK(again);
  rig.work.returns = false;
  co_await rig.finish();
}

namespace {

// Rig for an agent and a relay that know of several links.
struct ManyLinks : Rig {
  explicit ManyLinks(asio::any_io_executor executor, std::uint32_t wants = 2) : Rig(executor) {
    settings.session.self.capabilities.emplace_back(link::kLinks);
    settings.second = 0ms;
    relay.wants = wants;
    restart();
  }
  asio::awaitable<bool> until_links(std::size_t count) {
    return until([this, count] { return supervisor().status().links == count; });
  }
};

}  // namespace

ASYNC_TEST_CASE("a second link is dialled when the first is ready, and not before", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.relay.deaf = true;
  rig.start();
  const bool greeted = co_await rig.until([&] { return rig.work.links == 1; });
  REQUIRE(greeted);
  co_await sleep_for(200ms);  // nothing may happen
  CHECK(rig.relay.dialled.size() == 1);
  rig.relay.deaf = false;
  rig.relay.cut();
  const bool both = co_await rig.until_links(2);
  CHECK(both);
  CHECK(rig.relay.ends[1].session->peer().link == 0);
  CHECK(rig.relay.ends[2].session->peer().link == 1);
  CHECK(rig.work.links == 2);  // the jobs of the first one that was ready
  co_await rig.finish();
}

ASYNC_TEST_CASE("the agent keeps what the relay wants, what it may itself, and one where either knows no more",
                "[link][links]") {
  struct Case {
    std::uint32_t wants, may;
    std::size_t kept;
  };
  for (const auto& [wants, may, kept] : std::vector<Case>{{2, 2, 2}, {4, 3, 3}, {4, 4, 4}, {1, 4, 1}, {0, 2, 1}}) {
    INFO(wants << " wanted, " << may << " allowed");
    ManyLinks rig(co_await asio::this_coro::executor, wants);
    rig.settings.links = may;
    rig.restart();
    rig.start();
    const bool there = co_await rig.until_links(kept);
    CHECK(there);
    co_await sleep_for(50ms);  // nor more
    CHECK(rig.relay.dialled.size() == kept);
    co_await rig.finish();
  }
}

ASYNC_TEST_CASE("the jobs move to the link that is left, and a new one takes the place of the lost", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  CHECK(rig.work.links == 1);
  rig.relay.cut(1);  // without jobs
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 3 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.work.links == 1);
  rig.relay.cut(0);
  const bool moved = co_await rig.until([&] { return rig.work.links == 2; });
  REQUIRE(moved);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 4 && rig.supervisor().status().links == 2; });
  CHECK(both);
  CHECK(rig.work.links == 2);
  co_await rig.finish();
  CHECK(rig.work.states == std::vector{LinkState::connecting, LinkState::ready, LinkState::stopped});
}

ASYNC_TEST_CASE("links that the relay drains are replaced at once, as no failure", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.settings.backoff = {10s, 60s, 0s, 10s};
  rig.restart();
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  for (auto& end : rig.relay.ends) end.session->go_away("upgrade", 5s);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 4 && rig.supervisor().status().links == 2; });
  CHECK(both);
  CHECK(rig.supervisor().status().failures == 0);
  co_await rig.finish();
}

ASYNC_TEST_CASE("all links can be replaced while the former ones drain, and then the agent waits without a stir",
                "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor, 4);
  rig.settings.links = 4;
  rig.work.uses_links = true;
  rig.restart();
  rig.start();
  bool there = co_await rig.until_links(4);
  REQUIRE(there);
  for (std::size_t i = 0; i < 4; ++i) rig.relay.ends[i].session->go_away("upgrade", 1h);
  there = co_await rig.until([&] { return rig.relay.dialled.size() == 8 && rig.supervisor().status().links == 4; });
  REQUIRE(there);
  std::set<std::uint32_t> numbers;
  for (const auto& end : rig.relay.ends) numbers.insert(end.session->peer().link);
  CHECK(numbers.size() == 8);
  for (std::size_t i = 4; i < 8; ++i) rig.relay.ends[i].session->go_away("upgrade", 1h);
  there = co_await rig.until_links(0);
  REQUIRE(there);
  const auto before = rig.clock.looks;
  co_await sleep_for(300ms);  // longer than any pause here
  CHECK(rig.clock.looks - before < 200);
  CHECK(rig.relay.dialled.size() == 8);
  rig.relay.cut(2);  // its number is free
  there = co_await rig.until_links(1);
  CHECK(there);
  CHECK(rig.relay.ends[8].session->peer().link == rig.relay.ends[2].session->peer().link);
  co_await rig.finish();
}

ASYNC_TEST_CASE("a relay that drains every new link is dialled with growing pauses", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor, 1);
  rig.settings.backoff = {20ms, 10s, 1h, 10s};
  rig.restart();
  rig.start();
  for (std::size_t i = 0; i < 5; ++i) {
    const bool ready =
        co_await rig.until([&] { return rig.relay.dialled.size() == i + 1 && rig.supervisor().status().links == 1; });
    REQUIRE(ready);
    rig.relay.ends[i].session->go_away("upgrade", 5s);
  }
  const bool again = co_await rig.until([&] { return rig.relay.dialled.size() == 6; });
  REQUIRE(again);
  CHECK(rig.supervisor().status().failures == 5);
  CHECK(rig.relay.dialled[5] - rig.relay.dialled[4] >= 160ms);  // half of 20 ms * 2^4, and of hand_over
  co_await rig.finish();
}

ASYNC_TEST_CASE("a link that drains is replaced elsewhere when the relay named another address", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.settings.relay = {"a.example", 1};
  rig.relay.addresses = {"a.example:1", "b.example:2"};
  rig.work.uses_links = true;
  rig.restart();
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  REQUIRE(rig.relay.dialled_at == std::vector<std::string>{"a.example:1", "b.example:2"});
  rig.relay.ends[0].session->go_away("upgrade", 1h);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 3 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.relay.dialled_at[2] == "b.example:2");
  rig.relay.addresses = {"a.example:1", "b.example:2", "c.example:3"};
  rig.relay.ends[1].session->go_away("upgrade", 1h);
  rig.relay.ends[2].session->go_away("upgrade", 1h);
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 5 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.relay.dialled_at[4] == "c.example:3");
  co_await rig.finish();
}

ASYNC_TEST_CASE("links go to the addresses of the relay, and to the configured one when those fail", "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.settings.relay = {"configured", 1};
  rig.relay.addresses = {"a.example:1", "no address", "b.example:2"};
  rig.restart();
  rig.start();
  const bool both = co_await rig.until_links(2);
  REQUIRE(both);
  CHECK(rig.relay.dialled_at == std::vector<std::string>{"configured:1", "a.example:1"});
  rig.relay.failures = 4;
  rig.relay.cut(0);
  rig.relay.cut(1);
  const bool tried = co_await rig.until([&] { return rig.relay.failures == 0; });
  REQUIRE(tried);
  const std::set<std::string> asked(rig.relay.dialled_at.begin() + 2, rig.relay.dialled_at.end());
  CHECK(asked.contains("configured:1"));
  CHECK(asked.contains("a.example:1"));
  CHECK(asked.contains("b.example:2"));
  co_await rig.finish();
}

ASYNC_TEST_CASE("a revoked agent leaves all its links; one that is refused as a copy on one link goes on",
                "[link][links]") {
  ManyLinks rig(co_await asio::this_coro::executor);
  rig.start();
  bool both = co_await rig.until_links(2);
  REQUIRE(both);
  rig.relay.ends[1].session->refuse({"quarantined", "an old certificate", 10ms});
  both = co_await rig.until([&] { return rig.relay.dialled.size() == 3 && rig.supervisor().status().links == 2; });
  REQUIRE(both);
  CHECK(rig.work.disowned.empty());
  rig.relay.ends[0].session->refuse({"revoked", "not any more", 0ms});
  const bool refused = co_await rig.until_state(LinkState::refused);
  REQUIRE(refused);
  const bool left = co_await rig.until([&] { return rig.relay.ends[2].end.has_value(); });
  CHECK(left);
  CHECK(rig.work.disowned == "revoked");
  co_await sleep_for(300ms);  // longer than any back-off here
  CHECK(rig.relay.dialled.size() == 3);
  co_await rig.finish();
}
