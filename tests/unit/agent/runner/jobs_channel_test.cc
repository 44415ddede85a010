#include "agent/runner/jobs_channel.h"

#include "proto/sallyport/v1/jobs.pb.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"
#include "tests/support/scripted_owner.h"
#include "tests/unit/agent/runner/engine_bench.h"

#include <boost/asio/this_coro.hpp>

#include <sqlite3.h>

#include <atomic>

namespace sallyport::runner {
using namespace test;
using sallyport::test::LinkEndpoint;

namespace {

// The relay's end of the jobs channel: keeps what comes, says what it is told to.
struct Relay {
  std::optional<link::Incoming> jobs;
  std::vector<std::string> got;
  bool closed = false;

  asio::awaitable<void> serve(link::Session& session) {
    auto incoming = co_await session.accept_channel();
    if (!incoming) co_return;
    jobs = *std::move(incoming);
    for (;;) {
      auto message = co_await jobs->channel.receive_message();
      closed = !message || !*message;
      if (closed) co_return;
      got.emplace_back(as_text(**message));
    }
  }
  bool has(auto what) const {
    return std::ranges::any_of(got, [&](const std::string& raw) {
      v1::ToRelay message;
      return message.ParseFromString(raw) && what(message);
    });
  }
};

// Databases that are opened while it lives refuse one statement that they have not seen before, once it is armed.
class UnreadableOnce {
 public:
  UnreadableOnce() { sqlite3_auto_extension(entry()); }
  ~UnreadableOnce() { sqlite3_cancel_auto_extension(entry()); }
  void arm() { armed_ = true; }

 private:
  static void (*entry())() { return reinterpret_cast<void (*)()>(&attach); }
  static int attach(sqlite3* database, char**, const void*) {
    return sqlite3_set_authorizer(database, &authorise, nullptr);
  }
  static int authorise(void*, int, const char*, const char*, const char*, const char*) {
    return armed_.exchange(false) ? SQLITE_DENY : SQLITE_OK;
  }
  static inline std::atomic<bool> armed_{false};
};

// An engine and a relay with a link between them.
struct Linked {
  explicit Linked(asio::any_io_executor executor)
      : bench(executor), tasks(executor, [](const auto&, auto) {}), line(sallyport::test::memory_line(executor)) {
    auto agent_options = sallyport::test::patient_options(mux::Side::agent);
    auto relay_options = sallyport::test::patient_options(mux::Side::relay);
    relay_options.serves = {std::string(kJobsPurpose)};
    relay_end.owner.work = [this](link::Session& session) { return relay.serve(session); };
    agent_end.owner.work = [this](link::Session& session) { return work(session); };
    agent_end.session =
        std::make_unique<link::Session>(executor, std::move(line.a), agent_options, agent_end.owner, agent_end.clock);
    relay_end.session =
        std::make_unique<link::Session>(executor, std::move(line.b), relay_options, relay_end.owner, relay_end.clock);
  }
  asio::awaitable<void> work(link::Session& session) {
    channel = std::make_unique<JobsChannel>(co_await asio::this_coro::executor, *bench.engine);
    outcome = co_await channel->run(session);
  }
  asio::awaitable<void> open() {
    co_await bench.open();
    spawn();
    co_await until([this] { return relay.has([](const auto& m) { return m.has_ready(); }); }, "the agent is there");
  }
  void spawn() {
    tasks.spawn("agent", run_endpoint(agent_end));
    tasks.spawn("relay", run_endpoint(relay_end));
  }
  asio::awaitable<void> close() {
    agent_end.session->stop("the test is over");
    co_await tasks.join();
    co_await bench.close();
  }

  EngineBench bench;
  TaskGroup tasks;
  sallyport::test::MemoryLine line;
  Relay relay;
  LinkEndpoint agent_end, relay_end;
  std::unique_ptr<JobsChannel> channel;
  std::optional<Result<void>> outcome;
};

}  // namespace

ASYNC_TEST_CASE("a job over a real link, from dispatch to its last report", "[jobs-channel]") {
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.open();
  const auto sent = co_await linked.relay.jobs->channel.send_message(dispatch(canonical(kOne), {.holding = 1}));
  REQUIRE(sent);
  co_await until(
      [&] { return linked.relay.has([](const auto& m) { return m.has_report() && m.report().has_job_finished(); }); },
      "the job's end is told");
  CHECK(linked.relay.has([](const auto& m) { return m.has_answer() && m.answer().accepted(); }));
  const auto confirmed = co_await linked.relay.jobs->channel.send_message(acked(4));
  REQUIRE(confirmed);
  co_await until([&] { return linked.bench.journal->outbox_size().rows == 0; }, "the outbox is empty");
  co_await linked.close();
}

ASYNC_TEST_CASE("a relay that breaks the protocol ends the channel, with the reason", "[jobs-channel][bad-input]") {
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.open();
  const auto sent = co_await linked.relay.jobs->channel.send_message("\xff\xff\xff");
  REQUIRE(sent);
  co_await until([&] { return linked.outcome.has_value(); }, "the channel ends");
  REQUIRE_FALSE(*linked.outcome);
  CHECK(linked.outcome->error().code == Errc::invalid);
  co_await until([&] { return linked.relay.closed; }, "the relay sees it");
  co_await linked.close();
}

ASYNC_TEST_CASE("the relay closes the channel", "[jobs-channel]") {
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.open();
  REQUIRE(linked.relay.jobs->channel.finish());
  co_await until([&] { return linked.outcome.has_value(); }, "the channel ends");
  CHECK(linked.outcome->error().code == Errc::unavailable);
  co_await linked.close();
}

ASYNC_TEST_CASE("an agent that cannot send any more ends the channel: no link stays up mute", "[jobs-channel]") {
  const bool throws = GENERATE(true, false);
  UnreadableOnce unreadable;
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.bench.open();
  if (throws) {
    linked.bench.clock.fail_once();
  } else {
    unreadable.arm();  // the first thing that is read is what Holding says
  }
  linked.spawn();
  co_await until([&] { return linked.outcome.has_value(); }, "the channel ends");
  CHECK_FALSE(*linked.outcome);
  CHECK_FALSE(linked.relay.has([](const auto& m) { return m.has_holding(); }));
  co_await linked.close();
}

ASYNC_TEST_CASE("the jobs leave a link in order when the relay ends its direction, too", "[jobs-channel]") {
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.open();
  linked.channel->leave(*linked.agent_end.session);
  co_await until([&] { return linked.relay.closed; }, "the relay sees the end");
  CHECK_FALSE(linked.outcome);
  REQUIRE(linked.relay.jobs->channel.finish());
  co_await until([&] { return linked.outcome.has_value(); }, "the channel ends");
  CHECK(linked.outcome->has_value());
  co_await linked.close();
}

ASYNC_TEST_CASE("the jobs leave a link after three seconds although the relay confirms nothing", "[jobs-channel]") {
  const bool stalled = GENERATE(false, true);
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.open();
  linked.line.a_to_b->stalled = stalled;
  const auto begun = std::chrono::steady_clock::now();
  linked.channel->leave(*linked.agent_end.session);
  co_await until([&] { return linked.outcome.has_value(); }, "the channel ends");
  CHECK_FALSE(linked.outcome->has_value());
  CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::seconds(3));  // what is confirmed later is confirmed
  CHECK_FALSE(linked.agent_end.end);                                           // tunnels may still be on it
  co_await linked.close();
}

ASYNC_TEST_CASE("a link that breaks in the middle leaves jobs alone", "[jobs-channel]") {
  Linked linked(co_await asio::this_coro::executor);
  co_await linked.open();
  linked.bench.list.hold();
  const auto sent = co_await linked.relay.jobs->channel.send_message(dispatch(canonical(kOne), {.holding = 1}));
  REQUIRE(sent);
  co_await until([&] { return linked.bench.list.begun() == 1; }, "the step runs");
  linked.line.a_to_b->broken = linked.line.b_to_a->broken = true;
  linked.line.a_to_b->touch();
  linked.line.b_to_a->touch();
  co_await until([&] { return linked.agent_end.end.has_value(); }, "the link ends");
  linked.bench.list.release();
  co_await until([&] { return linked.bench.engine->status().relay_jobs == 0; }, "the job ends all the same");
  CHECK(linked.bench.journal->outbox_size().rows == 4);
  co_await linked.close();
}

}  // namespace sallyport::runner
