#include "shared/tunnel/splice.h"

#include "tests/unit/shared/tunnel/tunnel_rig.h"

#include <boost/asio/write.hpp>

// What splice() does not wait for, hold or wait out for ever.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using tunnel::SpliceEnd;
namespace asio = boost::asio;

namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

struct Flood {
  std::uint64_t sent = 0;
  boost::system::error_code end;  // the system tells it once: to who writes, or to who reads
};
asio::awaitable<void> pour(tcp::socket& socket, std::size_t size, Flood& flood) {
  const std::string chunk(64u << 10, 'x');
  while (flood.sent < size && !flood.end) {
    const auto [bad, count] = co_await asio::async_write(socket, asio::buffer(chunk), kAsValue);
    flood.end = bad;
    flood.sent += count;
  }
}

// Returns when nothing has moved for a while.
asio::awaitable<void> come_to_rest(const std::uint64_t& sent) {
  for (std::uint64_t before = ~std::uint64_t{0}; before != sent;) {
    before = sent;
    co_await sleep_for(300ms);
  }
}

asio::awaitable<std::string> read_slowly(tcp::socket& socket) {
  std::string all(1u << 20, '\0');
  std::size_t got = 0;
  for (;;) {
    const auto [bad, count] = co_await socket.async_read_some(asio::buffer(all.data() + got, 16u << 10), kAsValue);
    got += count;
    if (bad) break;
    co_await sleep_for(10ms);
  }
  all.resize(got);
  co_return all;
}

}  // namespace

ASYNC_TEST_CASE("a slow reader slows its writer down, and nothing piles up here", "[tunnel]") {
  constexpr int kKernel = 64 << 10;  // the system doubles it
  constexpr std::uint64_t kMost = 64u << 20;
  for (const bool client_reads : {false, true}) {
    INFO("the client is the slow one: " << client_reads);
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start({}, kKernel);
    auto& writer = client_reads ? rig.target() : rig.client();
    auto& reader = client_reads ? rig.client() : rig.target();
    auto& near = client_reads ? rig.agent : rig.relay;
    auto& far = client_reads ? rig.relay : rig.agent;
    Flood flood;
    rig.link.tasks.spawn("flood", pour(writer, kMost, flood));
    co_await come_to_rest(flood.sent);
    CHECK(flood.sent < kMost);
    const auto& limits = client_reads ? rig.link.relay_options.limits : rig.link.agent_options.limits;
    constexpr std::uint64_t kBuffers = 2 * (32u << 10);
    CHECK(near.flow.to_channel - far.flow.from_channel <= limits.initial_window + limits.writer.channel + kBuffers);
    CHECK(far.flow.from_channel > 0);
    const auto before = near.flow.to_channel;
    const auto some = co_await read_until(reader, 4u << 20);  // and it goes on when the reader does
    CHECK(some == std::string(4u << 20, 'x'));
    co_await come_to_rest(flood.sent);
    CHECK(near.flow.to_channel > before + (3u << 20));
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("what was written right before a reset arrives", "[tunnel]") {
  for (const bool by_client : {true, false}) {
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    auto& resetting = by_client ? rig.client() : rig.target();
    auto& other = by_client ? rig.target() : rig.client();
    asio::write(resetting, asio::buffer(std::string(20'000, 'a')));  // in one go with what follows
    reset_by_rst(resetting);
    std::string all(64u << 10, '\0');
    std::size_t got = 0;
    boost::system::error_code bad;
    while (!bad) {
      const auto [why, count] =
          co_await other.async_read_some(asio::buffer(all.data() + got, all.size() - got), kAsValue);
      got += count;
      bad = why;
    }
    CHECK(bad == asio::error::connection_reset);
    CHECK(all.substr(0, got) == std::string(20'000, 'a'));
    co_await rig.until_over();
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("a slow reader gets all that came before a reset", "[tunnel]") {
  struct Row {
    std::string what;
    bool client_writes;  // without credit
    bool target_finished;
  };
  for (const auto& row :
       {Row{"the other direction stands", false, false}, Row{"the other direction is full", true, false},
        Row{"its end has come already", false, true}}) {
    INFO(row.what);
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start({}, 64 << 10);
    Flood flood;
    TaskGroup flooding(rig.on, [](const auto&, const auto& why) { FAIL_CHECK(why); });
    if (row.client_writes) {
      flooding.spawn("flood", pour(rig.client(), 64u << 20, flood));
      co_await come_to_rest(flood.sent);
    }
    const std::string last(300'000, 'y');
    co_await send(rig.target(), last);
    if (row.target_finished) finish(rig.target());
    const bool taken = co_await rig.link.until([&] { return rig.agent.flow.to_channel == last.size(); });
    REQUIRE(taken);
    co_await sleep_for(50ms);
    reset_by_rst(rig.target());
    const bool reset = co_await rig.link.until([&] { return rig.relay.channel->peer_reset().has_value(); });
    REQUIRE(reset);
    const auto all = co_await read_slowly(rig.client());
    CHECK(all.size() == last.size());
    const auto read = std::chrono::steady_clock::now();
    co_await rig.until_over();
    CHECK(std::chrono::steady_clock::now() - read < 2500ms);
    CHECK(rig.relay.end->end == SpliceEnd::channel_broken);
    flooding.stop();
    co_await flooding.join();
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("a reset is passed on while a reader that stands still leaves no credit", "[tunnel]") {
  for (const bool reset_by_writer : {true, false}) {
    INFO("by the one who writes: " << reset_by_writer);
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start({}, 64 << 10);
    Flood flood;
    TaskGroup flooding(rig.on, [](const auto&, const auto& why) { FAIL_CHECK(why); });
    flooding.spawn("flood", pour(rig.client(), 64u << 20, flood));
    co_await come_to_rest(flood.sent);
    if (reset_by_writer) {
      flooding.stop();
      co_await flooding.join();
      reset_by_rst(rig.client());
    } else {
      reset_by_rst(rig.target());
    }
    co_await rig.until_over();
    co_await flooding.join();
    CHECK(rig.relay.end->end == (reset_by_writer ? SpliceEnd::socket_broken : SpliceEnd::channel_broken));
    CHECK(rig.agent.end->end == (reset_by_writer ? SpliceEnd::channel_broken : SpliceEnd::socket_broken));
    const auto bad = reset_by_writer ? co_await read_error(rig.target()) : flood.end;
    CHECK(bad == asio::error::connection_reset);
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("a connection without a byte ends at its limit, and one with bytes does not", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start({.idle = 600ms});
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 10; ++i) {
    co_await send(i % 2 == 0 ? rig.client() : rig.target(), "x");
    (void)co_await read_until(i % 2 == 0 ? rig.target() : rig.client(), 1);
    co_await sleep_for(100ms);
  }
  CHECK_FALSE(rig.relay.end);
  co_await rig.until_over();
  CHECK(std::chrono::steady_clock::now() - begun >= 1500ms);
  CHECK(rig.relay.end->end == SpliceEnd::idle);
  CHECK(rig.relay.end->detail == "no byte for 600ms");
  CHECK(rig.agent.end->end == SpliceEnd::channel_broken);
  CHECK(rig.agent.end->code == mux::ResetCode::cancelled);
  for (auto* socket : {&rig.client(), &rig.target()}) {
    const auto bad = co_await read_error(*socket);
    CHECK(bad == asio::error::connection_reset);
  }
  co_await rig.close();
}

ASYNC_TEST_CASE("a rate holds in each direction", "[tunnel]") {
  for (const bool up : {true, false}) {
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start({.bytes_per_second = 100'000});
    const auto begun = std::chrono::steady_clock::now();
    co_await send(up ? rig.client() : rig.target(), std::string(60'000, 'x'));
    const auto all = co_await read_until(up ? rig.target() : rig.client(), 60'000);
    CHECK(all == std::string(60'000, 'x'));
    CHECK(std::chrono::steady_clock::now() - begun >= 400ms);
    finish(rig.client());
    finish(rig.target());
    co_await rig.until_over();
    CHECK(rig.relay.end->end == SpliceEnd::finished);
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("a cancel resets both sides", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  co_await send(rig.client(), "hello");
  (void)co_await read_until(rig.target(), 5);
  rig.relay.task.stop();
  co_await rig.until_over();
  CHECK(rig.relay.end->end == SpliceEnd::stopped);
  CHECK(rig.agent.end->end == SpliceEnd::channel_broken);
  CHECK(rig.agent.end->code == mux::ResetCode::cancelled);
  for (auto* socket : {&rig.client(), &rig.target()}) {
    const auto bad = co_await read_error(*socket);
    CHECK(bad == asio::error::connection_reset);
  }
  co_await rig.close();
}

ASYNC_TEST_CASE("the link's end resets both sides and says why", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  rig.link.agent.session->stop("the agent stops");
  co_await rig.until_over();
  for (const auto& end : {rig.relay.end, rig.agent.end}) {
    CHECK(end->end == SpliceEnd::channel_broken);
    CHECK_FALSE(end->code);
    CHECK_THAT(end->detail, Catch::Contains("the link ended"));
  }
  for (auto* socket : {&rig.client(), &rig.target()}) {
    const auto bad = co_await read_error(*socket);
    CHECK(bad == asio::error::connection_reset);
  }
  co_await rig.close();
}

ASYNC_TEST_CASE("urgent data is carried as ordinary data, and a reset after it is still seen", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  rig.client().send(asio::buffer("!", 1), tcp::socket::message_out_of_band);
  co_await send(rig.client(), "ordinary");
  const auto all = co_await read_until(rig.target(), 9);
  CHECK(all == "!ordinary");
  reset_by_rst(rig.client());
  co_await rig.until_over();
  CHECK(rig.relay.end->end == SpliceEnd::socket_broken);
  co_await rig.close();
}

ASYNC_TEST_CASE("a socket that is closed already is an end, not a fault", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  rig.relay.limits = {};
  tcp::socket closed(rig.on);
  co_await rig.start();
  link::Channel spare = *rig.link.relay.session->open_channel("tunnel/1 other:1");
  tunnel::Flow flow;
  const auto outcome = co_await tunnel::splice(closed, spare, flow, {});
  CHECK(outcome.end == SpliceEnd::socket_broken);
  CHECK_FALSE(outcome.detail.empty());
  co_await rig.close();
}
