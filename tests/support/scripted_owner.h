#pragma once

#include "shared/base/clock.h"
#include "shared/link/session.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace sallyport::test {

// An owner whose parts a test replaces. Without replacement: admits, answers pings at once, serves nothing.
struct ScriptedOwner : link::SessionOwner {
  std::function<boost::asio::awaitable<void>(link::Session&)> work;
  std::function<std::optional<link::Refusal>(const link::Peer&)> gate;
  bool deaf = false;        // answers no ping
  int answers = 1'000'000;  // pings it answers before it becomes deaf
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
    if (!deaf && pings <= answers) session.pong(nonce);
  }
  void on_control(link::Session&, const v1::Control&) override { ++controls; }
  void on_go_away(link::Session&, const std::string& reason, std::chrono::milliseconds) override { went_away = reason; }
};

// Nothing runs out of time on a machine however slow: a test that is about a time limit sets its own.
inline link::SessionOptions patient_options(mux::Side side) {
  link::SessionOptions options;
  options.side = side;
  options.self.capabilities = {"jobs", "renewal"};
  options.self.software = side == mux::Side::agent ? "sallyport-agent/test" : "sallyport-relay/test";
  options.self.hostname = "host-1";
  options.self.boot_id = Bytes(16, std::byte{7});
  options.serves = {"echo/1"};
  options.times.handshake = std::chrono::seconds(30);
  options.times.heartbeat = std::chrono::seconds(20);
  options.times.farewell = std::chrono::seconds(10);
  return options;
}

// One end of a link and how it ended.
struct LinkEndpoint {
  ScriptedOwner owner;
  SystemClock clock;
  std::unique_ptr<link::Session> session;
  std::optional<link::EndReason> end;
};

inline boost::asio::awaitable<void> run_endpoint(LinkEndpoint& endpoint) {
  endpoint.end = co_await endpoint.session->run();
}

}  // namespace sallyport::test
