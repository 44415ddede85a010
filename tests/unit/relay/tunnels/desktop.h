#pragma once

#include "relay/tunnels/workstation.h"

#include "tests/support/memory_stream.h"
#include "tests/unit/relay/tunnels/tunnel_bench.h"

// A workstation that has a tunnel open, for tests.
namespace sallyport::test {

namespace asio = boost::asio;

inline const UserId kUser("usr_1");
inline const ApiTokenId kToken("tok_1");

// What `sallyport tunnel open` is to the relay: the side that opens channels, on a line in memory.
struct Desktop {
  explicit Desktop(TunnelBench& on) : bench(on), line(memory_line(on.on)) {}

  Result<void> open(const store::Tunnel& tunnel, UserId user = kUser) {
    auto serve = bench.carrier.session(tunnel, {"192.0.2.7", std::move(user), kToken, until}, [this] { return ask(); });
    if (!serve) return std::unexpected(std::move(serve).error());
    bench.tasks.spawn("session", hold(*std::move(serve), std::move(line.a)));
    end.session = std::make_unique<link::Session>(bench.on, std::move(line.b), patient_options(mux::Side::agent),
                                                  end.owner, end.clock);
    bench.tasks.spawn("workstation", run_endpoint(end));
    return {};
  }
  asio::awaitable<void> hold(tunnels::ServeSession serve, std::unique_ptr<ByteStream> stream) {
    cut = co_await serve(std::move(stream));
  }
  asio::awaitable<Result<std::optional<tunnels::Denial>>> ask() {
    while (silent) co_await sleep_for(std::chrono::milliseconds(1));
    if (fault) co_return std::unexpected(*fault);
    co_return denial;
  }
  asio::awaitable<link::Channel> connect() {
    const bool ready = co_await bench.until([&] { return end.session->proven(); });
    REQUIRE(ready);
    co_return *end.session->open_channel(tunnel::kConnectionService);
  }
  asio::awaitable<std::string> told() {  // the code by which it ended
    const bool over = co_await bench.until([&] { return end.end.has_value(); });
    REQUIRE(over);
    co_return end.end->refusal ? end.end->refusal->code : std::string(link::to_string(end.end->end));
  }

  TunnelBench& bench;
  MemoryLine line;
  LinkEndpoint end;
  std::optional<tunnels::Denial> denial;
  std::optional<tunnels::Denial> cut;  // what its session came to on the relay
  std::optional<Error> fault;
  bool silent = false;
  std::optional<WallTime> until;
};

inline tunnels::CarrierLimits quick_sessions() {
  auto limits = quick();
  limits.session_times.check = std::chrono::milliseconds(10);
  limits.session_times.link = patient_options(mux::Side::relay).times;
  return limits;
}

inline store::Tunnel without_listener(TunnelBench& bench, std::string host = "127.0.0.1") {
  auto tunnel = bench.tunnel(std::move(host));
  tunnel.listener.reset();
  return tunnel;
}

inline asio::awaitable<std::string> hear(link::Channel& channel, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const auto count = co_await channel.read_some(std::as_writable_bytes(std::span(text)).subspan(got));
    if (!count || *count == 0) break;
    got += *count;
  }
  text.resize(got);
  co_return text;
}

inline asio::awaitable<void> say(link::Channel& channel, std::string text) {
  (void)co_await channel.write(std::as_bytes(std::span(text)));
}

}  // namespace sallyport::test
