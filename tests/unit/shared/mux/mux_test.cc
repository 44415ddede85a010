#include "tests/unit/shared/mux/mux_pair.h"

#include <algorithm>
#include <array>

using namespace sallyport;
using namespace sallyport::mux;

namespace {

std::string read_all(Mux& mux, ChannelNumber channel) {
  std::string text;
  std::byte chunk[64];
  for (;;) {
    auto count = mux.read(channel, chunk);
    REQUIRE(count);
    if (!*count || **count == 0) return text;
    text += as_text(std::span(chunk).first(**count));
  }
}

Bytes frame(ChannelNumber channel, FrameType type, std::string_view payload) {
  Bytes wire;
  append_frame(wire, {channel, type, as_bytes(payload)});
  return wire;
}
std::string u32(std::uint32_t value) {
  Bytes bytes;
  append_u32(bytes, value);
  return std::string(as_text(bytes));
}

}  // namespace

TEST_CASE("a channel carries bytes both ways and ends in halves", "[mux]") {
  Pair link;
  const auto channel = link.agent.open("jobs/1");
  REQUIRE(channel == 1u);
  REQUIRE(link.agent.write(1, as_bytes("question")) == 8u);
  REQUIRE(link.agent.finish(1));
  link.settle();
  CHECK(link.purpose == "jobs/1");
  CHECK(read_all(link.relay, 1) == "question");
  CHECK(read(link.relay, 1) == 0u);
  REQUIRE(link.relay.write(1, as_bytes("answer")) == 6u);
  REQUIRE(link.relay.finish(1));
  link.settle();
  CHECK(read_all(link.agent, 1) == "answer");
  CHECK(read(link.agent, 1) == 0u);
  link.agent.release(1);
  link.relay.release(1);
  link.settle();
  CHECK(link.agent.open_channels() == 0);
  CHECK(link.relay.open_channels() == 0);
  CHECK(link.agent.promised() == 0);
  CHECK(link.relay.promised() == 0);
}

TEST_CASE("the agent opens odd numbers and the relay even ones", "[mux]") {
  Pair link;
  CHECK(link.agent.open("a") == 1u);
  CHECK(link.agent.open("a") == 3u);
  CHECK(link.relay.open("b") == 2u);
  CHECK(link.relay.open("b") == 4u);
  link.settle();
  CHECK(link.agent.open_channels() == 4);
}

TEST_CASE("a reset reaches the other side with its reason, after the bytes that came before", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  REQUIRE(link.agent.write(1, as_bytes("early")));
  link.settle();
  link.agent.reset(1, ResetCode::forbidden, "no\n\x01way");
  link.settle();
  std::byte chunk[64];
  CHECK(read(link.relay, 1, chunk) == 5u);
  const auto end = link.relay.read(1, chunk);
  REQUIRE_FALSE(end);
  CHECK(end.error().code == Errc::forbidden);
  CHECK(end.error().message.find("no??way") != std::string::npos);
}

TEST_CASE("a reset's text that would lead a terminal or reader astray is not shown", "[mux]") {
  for (const std::string text : {"\xc2\x9b"
                                 "31m",
                                 "safe \xe2\x80\xae gnp.exe", "\xff"}) {
    Pair link;
    REQUIRE(link.agent.open("a") == 1u);
    link.agent.reset(1, ResetCode::broken, text);
    link.settle();
    const auto reset = link.relay.peer_reset(1);
    REQUIRE(reset);
    CHECK(reset->text == "(not text)");
  }
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  link.agent.reset(1, ResetCode::broken, "gr\xc3\xbc\xc3\x9f\n");
  link.settle();
  CHECK(link.relay.peer_reset(1).value_or(PeerReset{}).text == "gr\xc3\xbc\xc3\x9f?");
}

TEST_CASE("a reset is known while bytes before it are still unread", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  link.settle();
  CHECK_FALSE(link.relay.readable(1));
  CHECK_FALSE(link.relay.peer_reset(1));
  REQUIRE(link.agent.write(1, as_bytes("early")));
  link.agent.reset(1, ResetCode::broken, "gone", Unsent::send);
  CHECK(link.agent.readable(1));
  link.agent.release(1);
  link.settle();
  CHECK(link.relay.readable(1));
  const auto reset = link.relay.peer_reset(1);
  REQUIRE(reset);
  CHECK(reset->code == ResetCode::broken);
  CHECK(reset->text == "gone");
  std::byte chunk[64];
  CHECK(read(link.relay, 1, chunk) == 5u);
  CHECK(link.relay.readable(1));
  CHECK(link.relay.read(1, chunk).error() == reset_error(1, *reset));
  link.relay.release(1);
  link.settle();
  CHECK(link.agent.open_channels() + link.relay.open_channels() == 0);
  CHECK(link.relay.readable(1));  // of what is not there, read() tells at once
  CHECK_FALSE(link.relay.peer_reset(1));
}

TEST_CASE("a channel is readable when its other side has finished", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  link.settle();
  REQUIRE(link.agent.finish(1));
  link.settle();
  CHECK(link.relay.readable(1));
  CHECK_FALSE(link.agent.readable(1));
  CHECK_FALSE(link.relay.peer_reset(1));
}

TEST_CASE("after a reset both sides forget the channel once it is released", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  REQUIRE(link.agent.write(1, as_bytes("early")));
  link.settle();
  link.agent.reset(1, ResetCode::forbidden, "no way");
  link.settle();
  CHECK(link.agent.read(1, {}).error().code == Errc::cancelled);
  const auto late = link.relay.write(1, as_bytes("late"));
  REQUIRE_FALSE(late);
  CHECK(late.error().code == Errc::forbidden);
  CHECK(late.error().message.find("no way") != std::string::npos);
  link.agent.release(1);
  link.relay.release(1);
  link.settle();
  CHECK(link.agent.open_channels() == 0);
  CHECK(link.relay.open_channels() == 0);
  CHECK(link.relay.received() == 0);
}

TEST_CASE("what a finished channel has written still arrives after its release", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  REQUIRE(link.agent.write(1, as_bytes("last words")));
  REQUIRE(link.agent.finish(1));
  link.agent.release(1);
  link.settle();
  CHECK(read_all(link.relay, 1) == "last words");
  CHECK(read(link.relay, 1) == 0u);
  CHECK(link.relay.write(1, as_bytes("x")).error().code == Errc::cancelled);
  link.relay.release(1);
  link.settle();
  CHECK(link.agent.open_channels() == 0);
  CHECK(link.relay.open_channels() == 0);
}

TEST_CASE("channels over the limit are refused, and the refusal is forgotten", "[mux]") {
  Pair link;
  auto limits = small_limits();
  limits.channels = 100;
  limits.received = 100'000;
  link.agent = Mux(Side::agent, limits);
  link.agent.start(1000);
  for (ChannelNumber number = 1; number <= 9; number += 2) REQUIRE(link.agent.open("a") == number);
  link.settle();
  CHECK(link.relay.open_channels() == 4);
  CHECK(link.agent.write(9, as_bytes("x")).error().code == Errc::exhausted);
  CHECK(link.agent.write(7, as_bytes("x")) == 1u);
}

TEST_CASE("opening over the own limits fails here", "[mux]") {
  Pair link;
  for (int i = 0; i < 4; ++i) REQUIRE(link.agent.open("a"));
  CHECK(link.agent.open("a").error().code == Errc::exhausted);
  auto limits = small_limits();
  limits.received = 1500;
  Mux tight(Side::agent, limits);
  tight.start(1000);
  REQUIRE(tight.open("a"));
  CHECK(tight.open("a").error().code == Errc::exhausted);
}

TEST_CASE("a draining side opens nothing and refuses what crosses", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  link.relay.stop_opening();
  link.settle();
  CHECK(link.agent.write(1, as_bytes("x")).error().code == Errc::unavailable);
  CHECK(link.relay.open("b").error().code == Errc::unavailable);
}

TEST_CASE("misuse by the own user is an error, not a fault", "[mux]") {
  Pair link;
  CHECK(link.agent.write(1, as_bytes("x")).error().code == Errc::not_found);
  CHECK(link.agent.finish(1).error().code == Errc::not_found);
  CHECK(link.agent.read(7, {}).error().code == Errc::not_found);
  link.agent.reset(7, ResetCode::cancelled, "");
  link.agent.release(7);
  CHECK(link.agent.open("").error().code == Errc::invalid);
  CHECK(link.agent.open(std::string(256, 'x')).error().code == Errc::invalid);
  REQUIRE(link.agent.open("a") == 1u);
  REQUIRE(link.agent.finish(1));
  CHECK(link.agent.finish(1));
  CHECK(link.agent.write(1, as_bytes("x")).error().code == Errc::conflict);
  Mux fresh(Side::agent, small_limits());
  CHECK(fresh.open("a").error().code == Errc::unavailable);
}

TEST_CASE("what a peer must not do ends the link with the rule", "[mux]") {
  struct Case {
    std::string what;
    std::vector<Bytes> wire;  // all but the last are fine
    std::string rule;
  };
  const auto open1 = frame(1, FrameType::open, "jobs/1");
  const std::vector<Case> cases = {
      {"control on a channel", {frame(1, FrameType::control, "x")}, "P4.4"},
      {"data on channel 0", {frame(0, FrameType::data, "x")}, "P4.4"},
      {"open of a number of this side", {frame(2, FrameType::open, "x")}, "P5.1"},
      {"reused number", {open1, frame(1, FrameType::open, "x")}, "P5.2"},
      {"number lower than the last", {frame(5, FrameType::open, "x"), frame(3, FrameType::open, "x")}, "P5.2"},
      {"purpose that is not UTF-8", {frame(1, FrameType::open, "\xff")}, "P5.3"},
      {"data on a channel never opened", {frame(1, FrameType::data, "x")}, "P5.4"},
      {"credit on a channel never opened", {frame(1, FrameType::credit, u32(1))}, "P5.4"},
      {"reset of a channel never opened", {frame(2, FrameType::reset, u32(1))}, "P5.4"},
      {"data after fin", {open1, frame(1, FrameType::fin, ""), frame(1, FrameType::data, "x")}, "P5.6"},
      {"fin after fin", {open1, frame(1, FrameType::fin, ""), frame(1, FrameType::fin, "")}, "P5.6"},
      {"data after reset", {open1, frame(1, FrameType::reset, u32(1)), frame(1, FrameType::data, "x")}, "P5.6"},
      {"credit after reset", {open1, frame(1, FrameType::reset, u32(1)), frame(1, FrameType::credit, u32(1))}, "P5.6"},
      {"one byte over the window",
       {open1, frame(1, FrameType::data, std::string(1000, 'x')), frame(1, FrameType::data, "x")},
       "P6.2"},
      {"a frame over the window", {open1, frame(1, FrameType::data, std::string(1001, 'x'))}, "P6.2"},
      {"no credit", {open1, frame(1, FrameType::credit, u32(0))}, "P6.3"},
      {"credit without end", {open1, frame(1, FrameType::credit, u32(0xffffffff))}, "P6.3"},
      {"unknown type", {Bytes(8, std::byte{9})}, "P4.2"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    Mux relay(Side::relay, small_limits());
    relay.start(1000);
    Result<std::optional<MuxEvent>> event;
    for (const auto& wire : one.wire) {
      relay.feed(wire);
      do event = relay.next();
      while (event && *event);
      if (&wire != &one.wire.back()) REQUIRE(event);
    }
    REQUIRE_FALSE(event);
    CHECK(event.error().message.starts_with(one.rule));
    CHECK_FALSE(relay.next());
  }
}

TEST_CASE("a channel before the handshake is a violation", "[mux]") {
  Mux relay(Side::relay, small_limits());
  const auto wire = frame(1, FrameType::open, "jobs/1");
  relay.feed(wire);
  const auto event = relay.next();
  REQUIRE_FALSE(event);
  CHECK(event.error().message.starts_with("P3.4"));
}

TEST_CASE("credit and reset may cross with the end of a channel", "[mux]") {
  Mux relay(Side::relay, small_limits());
  relay.start(1000);
  for (const auto& wire : {frame(1, FrameType::open, "a"), frame(1, FrameType::fin, "")}) {
    relay.feed(wire);
    REQUIRE(relay.next().value());
    REQUIRE_FALSE(relay.next().value());
  }
  REQUIRE(relay.finish(1));
  relay.release(1);
  REQUIRE(relay.open_channels() == 0);
  for (const auto& wire : {frame(1, FrameType::credit, u32(5)), frame(1, FrameType::reset, u32(1))}) {
    relay.feed(wire);
    CHECK_FALSE(relay.next().value());
  }
}

TEST_CASE("opens in a flood end the link before they cost memory", "[mux]") {
  Mux relay(Side::relay, small_limits());
  relay.start(1000);
  Result<std::optional<MuxEvent>> event;
  ChannelNumber number = 1;
  for (; number < 1001; number += 2) {
    const auto wire = frame(number, FrameType::open, "x");
    relay.feed(wire);
    do event = relay.next();
    while (event && *event);
    if (!event) break;
    CHECK(relay.open_channels() <= 8);
  }
  REQUIRE_FALSE(event);
  CHECK(event.error().message.starts_with("P5.5"));
  CHECK(relay.promised() <= small_limits().received);
}

TEST_CASE("bytes are put where they wait, and taken where they lie", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  const auto room = link.agent.prepare(1, 5000);
  REQUIRE(room);
  CHECK(room->size == 1000);  // its credit
  std::ranges::fill(room->parts[0].first(7), std::byte{'x'});
  link.agent.commit(1, 7);
  link.settle();
  const auto bytes = link.relay.peek(1);
  REQUIRE(bytes);
  REQUIRE(*bytes);
  CHECK(as_text(**bytes) == "xxxxxxx");
  link.relay.consume(1, 3);
  CHECK(read_all(link.relay, 1) == "xxxx");
  REQUIRE(link.relay.peek(1));
  CHECK_FALSE(*link.relay.peek(1));
  REQUIRE(link.agent.finish(1));
  CHECK(link.agent.prepare(1, 1).error().code == Errc::conflict);
  link.settle();
  CHECK(link.relay.peek(1).value().value().empty());
  CHECK(link.relay.peek(9).error().code == Errc::not_found);
}

TEST_CASE("what is offered is taken at once or kept, and counted either way", "[mux]") {
  for (const std::size_t taken : {0u, 1u, 9u, 10u}) {
    INFO("taken: " << taken);
    Pair link;
    REQUIRE(link.agent.open("a") == 1u);
    link.settle();
    link.relay.set_arrival(1, Arrival::offered);
    const auto wire = frame(1, FrameType::data, "0123456789");
    link.relay.feed(wire);
    const auto event = link.relay.next();
    REQUIRE(event);
    REQUIRE(*event);
    CHECK((*event)->kind == MuxEvent::Kind::offered);
    CHECK(link.relay.received() == 10);
    link.relay.take_offered(1, std::array{(*event)->payload}, taken);
    CHECK(link.relay.received() == 10 - taken);
    REQUIRE_FALSE(link.relay.next().value());
    if (taken < 10) {  // no longer offered while something is unread
      const auto more = frame(1, FrameType::data, "ab");
      link.relay.feed(more);
      CHECK(link.relay.next().value().value().kind == MuxEvent::Kind::readable);
      CHECK(read_all(link.relay, 1) == std::string("0123456789ab").substr(taken));
    }
    CHECK(link.relay.received() == 0);
  }
}

TEST_CASE("what is offered and meets a reset is dropped, and gives credit when it was taken", "[mux]") {
  Pair link;
  REQUIRE(link.agent.open("a") == 1u);
  link.settle();
  link.relay.set_arrival(1, Arrival::offered);
  const auto wire = frame(1, FrameType::data, std::string(600, 'x'));
  link.relay.feed(wire);
  auto event = link.relay.next();
  REQUIRE(event);
  link.relay.take_offered(1, std::array{(*event)->payload}, 600);
  CHECK(link.relay.has_output());  // credit
  link.relay.feed(wire);
  event = link.relay.next();
  REQUIRE(event);
  link.relay.reset(1, ResetCode::cancelled, "gone");
  link.relay.take_offered(1, std::array{(*event)->payload}, 0);
  CHECK(link.relay.received() == 0);
}
