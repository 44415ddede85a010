#include "shared/mux/frame.h"

#include "shared/mux/message.h"

#include <catch2/catch.hpp>

#include <tuple>

using namespace sallyport;
using namespace sallyport::mux;

namespace {

using Copy = std::tuple<ChannelNumber, FrameType, std::string>;

Bytes to_bytes(std::string_view text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

Result<void> drain(FrameReader& reader, std::vector<Copy>& out) {
  for (;;) {
    SP_TRY(const auto frame, reader.next());
    if (!frame) return {};
    out.emplace_back(frame->channel, frame->type, std::string(as_text(frame->payload)));
  }
}

Bytes header(ChannelNumber channel, std::uint8_t type, std::uint32_t length) {
  Bytes bytes;
  append_u32(bytes, channel);
  append_u32(bytes, std::uint32_t{type} << 24 | length);
  return bytes;
}

std::vector<Copy> some_frames() {
  return {{0, FrameType::control, "hello"},
          {1, FrameType::open, "jobs/1"},
          {1, FrameType::data, std::string(700, 'x')},
          {4'000'000'001, FrameType::credit, std::string("\0\0\1\0", 4)},
          {1, FrameType::fin, ""},
          {2, FrameType::reset, std::string("\0\0\0\2no", 6)}};
}

Bytes on_the_wire(const std::vector<Copy>& frames) {
  Bytes wire;
  for (const auto& [channel, type, payload] : frames) append_frame(wire, {channel, type, as_bytes(payload)});
  return wire;
}

}  // namespace

TEST_CASE("a frame's header is channel, type, length, big-endian", "[mux]") {
  Bytes wire;
  append_frame(wire, {0x01020304, FrameType::data, as_bytes("ab")});
  CHECK(hex(wire) ==
        "01020304"
        "03"
        "000002"
        "6162");
}

TEST_CASE("frames survive being cut at every byte", "[mux]") {
  const auto sent = some_frames();
  const auto wire = on_the_wire(sent);
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    INFO("cut after byte " << cut);
    FrameReader reader;
    std::vector<Copy> got;
    reader.feed(std::span(wire).first(cut));
    REQUIRE(drain(reader, got));
    reader.feed(std::span(wire).subspan(cut));
    REQUIRE(drain(reader, got));
    REQUIRE(got == sent);
    REQUIRE(reader.buffered() == 0);
  }
}

TEST_CASE("frames survive arriving byte by byte", "[mux]") {
  const auto sent = some_frames();
  const auto wire = on_the_wire(sent);
  FrameReader reader;
  std::vector<Copy> got;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    reader.feed(std::span(wire).subspan(i, 1));
    REQUIRE(drain(reader, got));
    REQUIRE(reader.buffered() <= kHeaderSize + 700);
  }
  CHECK(got == sent);
}

TEST_CASE("a header that lies is refused before its payload arrives", "[mux]") {
  struct Case {
    std::string what;
    Bytes wire;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"unknown type 0", header(1, 0, 1), "P4.2"},
      {"unknown type 7", header(1, 7, 1), "P4.2"},
      {"unknown type 255", header(1, 255, 1), "P4.2"},
      {"too long", header(1, 3, 1001), "P4.3"},
      {"as long as can be", header(1, 3, 0xffffff), "P4.3"},
      {"data without a byte", header(1, 3, 0), "P4.3"},
      {"control without a byte", header(0, 1, 0), "P4.3"},
      {"open without a purpose", header(1, 2, 0), "P4.3"},
      {"purpose too long", header(1, 2, 256), "P4.3"},
      {"short credit", header(1, 4, 3), "P4.3"},
      {"long credit", header(1, 4, 5), "P4.3"},
      {"fin with a payload", header(1, 5, 1), "P4.3"},
      {"reset without a code", header(1, 6, 3), "P4.3"},
      {"reset with too much text", header(1, 6, 4 + 256), "P4.3"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    FrameReader reader(1000);
    reader.feed(one.wire);
    const auto outcome = reader.next();
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().message.find(one.message) != std::string::npos);
    reader.feed(on_the_wire(some_frames()));
    CHECK(reader.next().error() == outcome.error());
  }
}

TEST_CASE("a frame as long as the limit passes", "[mux]") {
  Bytes wire;
  append_frame(wire, {1, FrameType::data, Bytes(1000)});
  FrameReader reader(1000);
  reader.feed(wire);
  const auto frame = reader.next();
  REQUIRE(frame);
  REQUIRE(*frame);
  CHECK((*frame)->payload.size() == 1000);
}

TEST_CASE("messages survive being cut at every byte", "[mux]") {
  const std::vector<std::string> sent = {"one", "", std::string(300, 'z')};
  Bytes wire;
  for (const auto& message : sent) {
    const auto prefix = message_prefix(message.size());
    wire.insert(wire.end(), prefix.begin(), prefix.end());
    const auto body = to_bytes(message);
    wire.insert(wire.end(), body.begin(), body.end());
  }
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    INFO("cut after byte " << cut);
    MessageReader reader;
    std::vector<std::string> got;
    for (const auto part : {std::span(wire).first(cut), std::span(wire).subspan(cut)}) {
      reader.feed(part);
      for (auto next = reader.next(); next && *next; next = reader.next()) got.emplace_back(as_text(**next));
    }
    REQUIRE(got == sent);
    REQUIRE(reader.finish());
  }
}

TEST_CASE("a message over the limit is refused at its length", "[mux]") {
  MessageReader reader(10);
  reader.feed(message_prefix(11));
  const auto outcome = reader.next();
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::too_large);
}

TEST_CASE("a flow that ends inside a message is an error", "[mux]") {
  MessageReader reader;
  reader.feed(message_prefix(3));
  CHECK_FALSE(reader.next().value());
  CHECK_FALSE(reader.finish());
}

TEST_CASE("a queue gives back what went in and no memory when it is empty", "[mux]") {
  ByteQueue queue;
  std::string got;
  for (int i = 0; i < 100; ++i) {
    queue.append(as_bytes("abcdefg"));
    const auto count = std::min<std::size_t>(queue.size(), i % 11);
    got += as_text(queue.front().first(count));
    queue.drop(count);
  }
  got += as_text(queue.front());
  queue.drop(queue.size());
  std::string sent;
  for (int i = 0; i < 100; ++i) sent += "abcdefg";
  CHECK(got == sent);
  CHECK(queue.empty());
}
