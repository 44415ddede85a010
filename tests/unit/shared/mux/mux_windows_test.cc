#include "tests/unit/shared/mux/mux_pair.h"

using namespace sallyport;
using namespace sallyport::mux;

namespace {

// Moves more than any window on each of the channels, so that every window is asked for.
void use_windows(Pair& link, std::initializer_list<ChannelNumber> channels, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    for (const auto channel : channels) {
      REQUIRE(link.agent.write(channel, Bytes(8000)));
      link.settle();
      Bytes chunk(8000);
      REQUIRE(link.relay.read(channel, chunk));
      CHECK(link.relay.promised() <= small_limits().received);
    }
  }
}

}  // namespace

TEST_CASE("a writer stops at the window and goes on with credit", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  CHECK(link.agent.write(1, Bytes(3000)) == 1000u);
  CHECK(link.agent.write(1, Bytes(2000)) == 0u);
  link.settle();
  CHECK(link.relay.received() == 1000);
  Bytes chunk(499);
  REQUIRE(read(link.relay, 1, chunk) == 499u);
  link.settle();
  CHECK(link.agent.write(1, Bytes(2000)) == 0u);  // less than half the window is no credit yet
  REQUIRE(read(link.relay, 1, std::span(chunk).first(1)) == 1u);
  link.settle();
  CHECK(link.agent.write(1, Bytes(2000)) == 500u);
}

TEST_CASE("a large window is granted again in eighths, and one between when a frame is worth it", "[mux]") {
  struct Row {
    std::uint32_t window, step;
  };
  constexpr std::uint32_t kKiB = 1024;
  for (const auto [window, step] :
       {Row{64 * kKiB, 32 * kKiB}, Row{512 * kKiB, 256 * kKiB}, Row{1024 * kKiB, 256 * kKiB},
        Row{2048 * kKiB, 256 * kKiB}, Row{16384 * kKiB, 2048 * kKiB}}) {
    INFO("a window of " << window);
    MuxLimits limits;
    limits.initial_window = window;
    limits.writer = {.queue = window, .channel = window};
    Pair link;
    link.agent = Mux(Side::agent, limits);
    link.relay = Mux(Side::relay, limits);
    link.agent.start(window);
    link.relay.start(window);
    REQUIRE(link.agent.open("a") == 1u);
    REQUIRE(link.agent.write(1, Bytes(window)) == window);
    link.settle();
    Bytes chunk(step - 1);
    REQUIRE(read(link.relay, 1, chunk) == step - 1);
    CHECK_FALSE(link.relay.has_output());
    REQUIRE(read(link.relay, 1, std::span(chunk).first(1)) == 1u);
    CHECK(link.relay.has_output());
    link.settle();
    CHECK(link.agent.write(1, Bytes(window)) == step);
  }
}

TEST_CASE("windows grow as their policy wants, and share what there is to grow into", "[mux]") {
  auto twice = [](const WindowUse& use) { return use.window * 2; };
  Pair link;
  link.relay = Mux(Side::relay, small_limits(), twice);
  link.relay.start(1000);
  REQUIRE(link.agent.open("a") == 1u);
  use_windows(link, {1}, 20);
  CHECK(link.relay.grown() == 1875);  // half of 5000 without the quarter that is kept
  REQUIRE(link.agent.open("b") == 3u);
  use_windows(link, {1, 3}, 20);
  CHECK(link.relay.grown() >= 1990);  // a third each of 5000 without the two initial windows
  CHECK(link.relay.grown() <= 2000);
  REQUIRE(link.agent.open("c") == 5u);  // however far the others have grown
  link.settle();
  CHECK(link.relay.open_channels() == 3);
  REQUIRE(link.agent.write(5, as_bytes("x")) == 1u);
  link.settle();
  use_windows(link, {1, 3}, 20);  // they give back
  CHECK(link.relay.grown() <= 1334);
  for (const ChannelNumber channel : {1u, 3u}) {
    link.agent.release(channel);
    link.relay.release(channel);
  }
  link.settle();
  CHECK(link.relay.grown() == 0);
  CHECK(link.relay.promised() == 1000);
}

TEST_CASE("a window shrinks by what is not granted again", "[mux]") {
  std::uint32_t wish = 4000;
  Pair link;
  link.relay = Mux(Side::relay, small_limits(), [&](const WindowUse&) { return wish; });
  link.relay.start(1000);
  REQUIRE(link.agent.open("a") == 1u);
  use_windows(link, {1}, 10);
  CHECK(link.relay.promised() == 2875);
  wish = 0;
  use_windows(link, {1}, 10);
  CHECK(link.relay.promised() == 1000);  // never less than the initial window
  CHECK(link.relay.grown() == 0);
  wish = 4000;
  use_windows(link, {1}, 10);
  CHECK(link.relay.promised() == 2875);
}
