#pragma once

#include "tests/unit/shared/link/raw_peer.h"

// What a hostile peer may do to a relay's session, and what the relay says of it; the same whoever the peer is.
namespace sallyport::test {

struct Move {
  std::string what;
  Bytes bytes;
  std::string refusal;  // what the relay says of it
};

inline Bytes text(std::string_view characters) { return {as_bytes(characters).begin(), as_bytes(characters).end()}; }

inline Bytes opened(mux::ChannelNumber channel, std::string_view purpose) {
  return frame(channel, mux::FrameType::open, purpose);
}

inline Bytes raw_header(std::uint32_t channel, std::uint8_t type, std::uint32_t length) {
  Bytes out;
  mux::append_u32(out, channel);
  mux::append_u32(out, std::uint32_t{type} << 24 | length);
  return out;
}

inline Bytes endless_opens(std::uint32_t count, std::string_view purpose) {
  Bytes out;
  for (std::uint32_t i = 0; i < count; ++i) {
    mux::append_frame(out, {2 * i + 1, mux::FrameType::open, as_bytes(purpose)});
  }
  return out;
}

// On a channel that the relay serves nothing on: it resets that, and drops what still comes, up to its window.
inline Bytes data_beyond(std::size_t window) {
  const std::string piece(60'000, 'x');
  Bytes out = opened(3, "nobody/1");
  for (std::size_t sent = 0; sent <= window; sent += piece.size()) {
    mux::append_frame(out, {3, mux::FrameType::data, as_bytes(piece)});
  }
  return out;
}

// `purpose`: of a channel that the peer may open.
inline std::vector<Move> impossible_greetings(std::string_view purpose) {
  return {
      {"versions of the future", hello({.protocol_min = 2, .protocol_max = 3}), "version: "},
      {"a range upside down", hello({.protocol_max = 0}), "version: "},
      {"no version", hello({.protocol_min = 0, .protocol_max = 0}), "version: "},
      {"no window", hello({.window = 0}), "protocol: "},
      {"a giant's window", hello({.window = 17u << 20}), "protocol: "},
      {"a ping first", control([](auto& c) { c.mutable_ping()->set_nonce(1); }), "protocol: "},
      {"a channel first", opened(1, purpose), "protocol: "},
      {"the relay's own Welcome", control([](auto& c) { c.mutable_welcome(); }), "protocol: "},
      {"no protobuf", frame(0, mux::FrameType::control, "\xff\xff\xff\xff"), "protocol: "},
      {"an empty control", raw_header(0, 1, 0), "protocol: "},
      {"HTTP", text("GET / HTTP/1.1\r\n\r\n"), "protocol: "},
  };
}

// After a good Hello and the relay's Welcome.
inline std::vector<Move> broken_rules(std::string_view purpose) {
  using mux::FrameType;
  const auto channel = opened(1, purpose);
  return {
      {"a second Hello", hello(), "P3.2"},
      {"a length over the limit, without its payload", raw_header(1, 3, (64u << 10) - 7), "P4.3"},
      {"the longest length there is", raw_header(0, 1, 0xffffff), "P4.3"},
      {"a type that is not there", raw_header(1, 99, 4), "P4.2"},
      {"type 0", raw_header(0, 0, 0), "P4.2"},
      {"control on a channel", frame(1, FrameType::control, "x"), "P4.4"},
      {"data on channel 0", frame(0, FrameType::data, "x"), "P4.4"},
      {"data for no channel", frame(1, FrameType::data, "x"), "P5.4"},
      {"an even channel", opened(2, purpose), "P5.1"},
      {"the same channel twice", joined({channel, channel}), "P5.2"},
      {"a Pong that nobody asked for", control([](auto& c) { c.mutable_pong()->set_nonce(99); }), "P10.2"},
      {"credit of nothing", joined({channel, frame(1, FrameType::credit, std::string(4, '\0'))}), "P6.3"},
      {"credit beyond 2^32",
       joined(
           {channel, frame(1, FrameType::credit, "\xff\xff\xff\xff"), frame(1, FrameType::credit, "\xff\xff\xff\xff")}),
       "P6.3"},
      {"more data than the window", data_beyond(256u << 10), "P6.2"},
      {"data after the end", joined({channel, frame(1, FrameType::fin, ""), frame(1, FrameType::data, "x")}), "P5.6"},
      {"an end of no channel", frame(5, FrameType::reset, std::string("\0\0\0\1", 4)), "P5.4"},
      {"opens without regard to refusals", endless_opens(2'100, "nobody/1"), "P5.5"},
      {"garbage", Bytes(4'096, std::byte{0xa5}), "P4"},
      {"a purpose that is not text", opened(1, "\xc3\x28"), "P5.3"},
  };
}

}  // namespace sallyport::test
