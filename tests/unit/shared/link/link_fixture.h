#pragma once

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "shared/link/session.h"
#include "tests/support/async_test.h"
#include "tests/support/memory_stream.h"

#include <functional>

namespace sallyport::test {

// An owner whose parts a test replaces. Without replacement: admits, answers pings at once, serves nothing.
struct ScriptedOwner : link::SessionOwner {
  std::function<boost::asio::awaitable<void>(link::Session&)> work;
  std::function<std::optional<link::Refusal>(const link::Peer&)> gate;
  bool deaf = false;  // does not answer pings
  int pings = 0;
  int controls = 0;
  std::string went_away;

  boost::asio::awaitable<std::optional<link::Refusal>> admit(link::Peer peer) override {
    co_return gate ? gate(peer) : std::nullopt;
  }
  boost::asio::awaitable<void> serve(link::Session& session) override {
    if (work) co_await work(session);
  }
  void on_ping(link::Session& session, std::uint64_t nonce) override {
    ++pings;
    if (!deaf) session.pong(nonce);
  }
  void on_control(link::Session&, const v1::Control&) override { ++controls; }
  void on_go_away(link::Session&, const std::string& reason, std::chrono::milliseconds) override { went_away = reason; }
};

link::SessionOptions fast_options(mux::Side side);

// One end of a link and how it ended.
struct LinkEndpoint {
  ScriptedOwner owner;
  SystemClock clock;
  std::unique_ptr<link::Session> session;
  std::optional<link::EndReason> end;
};

// An agent's and a relay's session on a line in memory. start() before anything else; join() before it dies.
struct LinkPair {
  explicit LinkPair(boost::asio::any_io_executor executor);
  void start();
  boost::asio::awaitable<void> join() { return tasks.join(); }
  // Until `holds`, ten seconds at most.
  boost::asio::awaitable<bool> until(std::function<bool()> holds);

  boost::asio::any_io_executor on;
  TaskGroup tasks;
  MemoryLine line;
  link::SessionOptions agent_options = fast_options(mux::Side::agent);
  link::SessionOptions relay_options = fast_options(mux::Side::relay);
  LinkEndpoint agent, relay;
};

boost::asio::awaitable<void> run_endpoint(LinkEndpoint& endpoint);

}  // namespace sallyport::test
