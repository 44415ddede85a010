#include "shared/websocket/frames.h"

#include "shared/websocket/handshake.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::websocket;

namespace {

constexpr MaskKey kMask{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}};

Bytes bytes_of(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

Bytes text_bytes(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }

struct Flow {
  std::string data;
  std::string controls;  // "ping:hi,"
  std::string problem;
  friend bool operator==(const Flow&, const Flow&) = default;
};

void drain(FrameReader& reader, Flow& flow) {
  for (;;) {
    auto part = reader.next();
    if (!part) {
      flow.problem = part.error().message;
      return;
    }
    if (!*part) return;
    const auto text = std::string(as_text((*part)->bytes));
    switch ((*part)->kind) {
      case Opcode::ping: flow.controls += "ping:" + text + ","; break;
      case Opcode::pong: flow.controls += "pong:" + text + ","; break;
      case Opcode::close: flow.controls += "close,"; break;
      default: flow.data += text;
    }
  }
}

Flow read_whole(Side sender, std::span<const std::byte> wire) {
  FrameReader reader(sender);
  Flow flow;
  reader.feed(wire);
  drain(reader, flow);
  return flow;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Bytes sent(Opcode opcode, std::string_view text, const std::optional<MaskKey>& mask = std::nullopt) {
  Bytes wire;
  append_frame(wire, opcode, as_bytes(text), mask);
  return wire;
}

}  // namespace

TEST_CASE("frames are written as RFC 6455 §5.7 shows them", "[websocket]") {
  CHECK(sent(Opcode::ping, "Hello") == bytes_of({0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}));
  CHECK(sent(Opcode::pong, "Hello", kMask) ==
        bytes_of({0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58}));
  const auto medium = sent(Opcode::binary, std::string(256, 'x'));
  CHECK(Bytes(medium.begin(), medium.begin() + 4) == bytes_of({0x82, 0x7e, 0x01, 0x00}));
  const auto large = sent(Opcode::binary, std::string(65'536, 'x'));
  CHECK(Bytes(large.begin(), large.begin() + 10) == bytes_of({0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST_CASE("what one side writes the other reads, of any size", "[websocket]") {
  for (std::size_t size : {0u, 1u, 125u, 126u, 127u, 65'535u, 65'536u, 200'000u}) {
    INFO("size " << size);
    const std::string text(size, 'a');
    CHECK(read_whole(Side::client, sent(Opcode::binary, text, kMask)) == Flow{text, "", ""});
    CHECK(read_whole(Side::server, sent(Opcode::binary, text)) == Flow{text, "", ""});
  }
}

TEST_CASE("frames survive being cut at every byte", "[websocket]") {
  const auto wire = joined({sent(Opcode::binary, "first", kMask), sent(Opcode::ping, "are you there", kMask),
                            sent(Opcode::binary, std::string(300, 'b'), kMask), sent(Opcode::pong, "", kMask),
                            sent(Opcode::close, "\x03\xe8", kMask)});
  const Flow expected{"first" + std::string(300, 'b'), "ping:are you there,pong:,close,", ""};
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    INFO("cut after byte " << cut);
    FrameReader reader(Side::client);
    Flow flow;
    reader.feed(std::span(wire).first(cut));
    drain(reader, flow);
    reader.feed(std::span(wire).subspan(cut));
    drain(reader, flow);
    CHECK(flow == expected);
    CHECK(reader.held() == 0);
  }
}

TEST_CASE("a message in pieces is one flow, with control frames in between", "[websocket]") {
  const auto wire = joined({bytes_of({0x02, 0x03, 'a', 'b', 'c'}), bytes_of({0x89, 0x00}), bytes_of({0x00, 0x00}),
                            bytes_of({0x80, 0x02, 'd', 'e'}), bytes_of({0x82, 0x01, 'f'})});
  CHECK(read_whole(Side::server, wire) == Flow{"abcdef", "ping:,", ""});
}

TEST_CASE("what RFC 6455 forbids is refused as soon as it is there", "[websocket]") {
  struct Case {
    const char* what;
    Side sender;
    Bytes wire;
    const char* says;
  };
  const std::vector<Case> cases{
      {"a reserved bit", Side::server, bytes_of({0xc2, 0x01}), "reserved bit"},
      {"an unknown opcode", Side::server, bytes_of({0x83, 0x01}), "unknown kind"},
      {"an unknown control opcode", Side::server, bytes_of({0x8b, 0x00}), "unknown kind"},
      {"a client that does not mask", Side::client, bytes_of({0x82, 0x01}), "mask"},
      {"a server that masks", Side::server, bytes_of({0x82, 0x81}), "mask"},
      {"a long ping", Side::server, bytes_of({0x89, 0x7e, 0x00, 0x7e}), "control frame"},
      {"a ping in pieces", Side::server, bytes_of({0x09, 0x00}), "control frame"},
      {"16 bits for a short length", Side::server, bytes_of({0x82, 0x7e, 0x00, 0x7d}), "shortest"},
      {"64 bits for a medium length", Side::server, bytes_of({0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}), "shortest"},
      {"a frame over the limit", Side::server, bytes_of({0x82, 0x7f, 0, 0, 0, 0, 0, 0x10, 0, 1}), "limit"},
      {"a length of 2^63", Side::server, bytes_of({0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}), "limit"},
      {"a continuation of nothing", Side::server, bytes_of({0x80, 0x01}), "mixed up"},
      {"a new message within another", Side::server, bytes_of({0x02, 0x01, 'a', 0x82, 0x01}), "mixed up"},
      {"text", Side::server, bytes_of({0x81, 0x02}), "text"},
  };
  for (const auto& one : cases) {
    INFO(one.what);
    const auto flow = read_whole(one.sender, one.wire);
    CHECK_THAT(flow.problem, Catch::Matchers::Contains(one.says));
  }
}

TEST_CASE("a message over the limit is refused, however it is cut into frames", "[websocket]") {
  FrameReader reader(Side::server);
  Flow flow;
  Bytes frame = bytes_of({0x02, 0x7f, 0, 0, 0, 0, 0, 0x10, 0, 0});
  frame.resize(frame.size() + kMaxFrame);
  for (std::size_t i = 0; i < kMaxMessage / kMaxFrame; ++i) {
    reader.feed(frame);
    drain(reader, flow);
    frame[0] = std::byte{0x00};
  }
  CHECK(flow.problem.empty());
  CHECK(flow.data.size() == kMaxMessage);
  reader.feed(frame);
  drain(reader, flow);
  CHECK_THAT(flow.problem, Catch::Matchers::Contains("limit"));
  reader.feed(text_bytes("anything"));
  CHECK_FALSE(reader.next());
  CHECK(reader.held() <= frame.size());
}

TEST_CASE("the accept key is that of RFC 6455 §1.3", "[websocket]") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK_FALSE(accept_key(""));
  CHECK_FALSE(accept_key("dGhlIHNhbXBsZSBub25jZQ"));
  CHECK_FALSE(accept_key("c2hvcnQ="));
  CHECK(accept_key(new_key()));
  CHECK(new_key() != new_key());
}

TEST_CASE("a list of subprotocols names one exactly", "[websocket]") {
  CHECK(offers_subprotocol("sallyport.link.v1", kLinkSubprotocol));
  CHECK(offers_subprotocol("chat, \tsallyport.link.v1 ,x", kLinkSubprotocol));
  for (const auto* list : {"", ",", "chat", "sallyport.link.v11", "Sallyport.link.v1", "sallyport.link"}) {
    CHECK_FALSE(offers_subprotocol(list, kLinkSubprotocol));
  }
}
