#pragma once

#include "shared/base/value.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::mux {

// Odd numbers are opened by the agent, even ones by the relay, 0 carries control messages only.
using ChannelNumber = std::uint32_t;
constexpr ChannelNumber kControlChannel = 0;

// What a frame carries (docs/protocol.md P4.2).
enum class FrameType : std::uint8_t {
  control = 1,  // one protobuf Control message, on channel 0 only
  open = 2,     // the purpose of a new channel, UTF-8, 1..255 bytes
  data = 3,     // bytes of a channel, at least one; costs that many bytes of credit
  credit = 4,   // 4 bytes, big-endian, > 0: the sender will take that many more bytes
  fin = 5,      // empty: the sender has written its last byte
  reset = 6,    // 4 bytes code, then up to 255 bytes of text for the log: the sender neither writes nor reads any more
};

// Why a channel was broken off; on the wire, so numbers never change their meaning.
enum class ResetCode : std::uint32_t {
  cancelled = 1,      // the user of the channel went away
  refused = 2,        // nobody serves that purpose
  exhausted = 3,      // too many channels or too much memory promised already
  shutting_down = 4,  // opened after GoAway
  forbidden = 5,      // the policy of the other side does not allow it
  internal = 6,       // the other side failed
  unreachable = 7,    // what the channel leads to refuses, does not answer, or has no address
  broken = 8,         // what the channel leads to broke off, as TCP's RST does
};
std::string_view to_string(ResetCode code);
Errc errc_of(ResetCode code);

// The other side's reset of a channel.
struct PeerReset {
  ResetCode code;
  std::string text;  // for the log, without control characters
};

// Bytes of a channel that were written and still wait when this side resets it.
enum class Unsent { drop, send };

constexpr std::size_t kHeaderSize = 8;
constexpr std::size_t kMaxPayload = (64u << 10) - kHeaderSize;
constexpr std::size_t kMaxText = 255;  // of a purpose, or of a reset's text
// Header and payload of a full data frame fill one TLS record of 16 KiB.
constexpr std::size_t kDataPayload = (16u << 10) - kHeaderSize;

// `payload` points into the reader's or the caller's bytes: see FrameReader.
struct Frame {
  ChannelNumber channel = 0;
  FrameType type = FrameType::control;
  std::span<const std::byte> payload;
};

// Header of a frame: channel (4 bytes), type (1), length (3); big-endian. `length` must fit kMaxPayload.
void write_header(std::span<std::byte, kHeaderSize> into, ChannelNumber channel, FrameType type, std::size_t length);
// Appends header and payload, which must fit kMaxPayload.
void append_frame(Bytes& out, const Frame& frame);
std::array<std::byte, 4> u32_bytes(std::uint32_t value);  // big-endian
void append_u32(Bytes& out, std::uint32_t value);
std::uint32_t read_u32(std::span<const std::byte, 4> bytes);  // big-endian

// Feeds bytes in, takes frames out; refuses a length that its type or `limit` does not allow, and an unknown type,
// before the payload arrives. Holds at most one incomplete frame. No IO, no clock.
class FrameReader {
 public:
  explicit FrameReader(std::size_t limit = kMaxPayload) : limit_(limit) {}

  // The bytes must stay alive and unchanged until next() returned nothing or failed.
  // Call only when next() returned nothing before.
  void feed(std::span<const std::byte> bytes);
  // nullopt: more bytes are needed. A frame's payload is valid until the next call of any member.
  // After an error every further call gives the same error.
  Result<std::optional<Frame>> next();
  // Bytes of an incomplete frame that are kept.
  std::size_t buffered() const { return partial_.size(); }

 private:
  Result<std::optional<std::size_t>> frame_size(std::span<const std::byte> bytes) const;
  void keep_partial(std::size_t wanted);

  std::size_t limit_;
  std::span<const std::byte> fed_;
  Bytes partial_;  // beginning of a frame that was cut
  bool partial_taken_ = false;
  std::optional<Error> broken_;
};

}  // namespace sallyport::mux
