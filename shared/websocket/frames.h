#pragma once

#include "shared/base/text.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// RFC 6455 as far as a link needs it: binary messages as a flow of bytes, ping, pong and close. No IO.
namespace sallyport::websocket {

enum class Side { client, server };

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

inline constexpr std::size_t kMaxFrame = 1u << 20;     // payload of one frame that is taken
inline constexpr std::size_t kMaxMessage = 16u << 20;  // of all frames of one message
inline constexpr std::size_t kMaxControl = 125;        // RFC 6455 §5.5

using MaskKey = std::array<std::byte, 4>;

// One whole frame with FIN set (§5.2); clients mask with a fresh unpredictable key each, servers do not (§5.3).
void append_frame(Bytes& to, Opcode opcode, std::span<const std::byte> payload, const std::optional<MaskKey>& mask);

// Something that came: bytes of a binary message (any piece of it), or a whole ping, pong or close.
struct Part {
  Opcode kind = Opcode::binary;
  Bytes bytes;
};

// Takes the other side's bytes in, cut anywhere. Data is given as it comes, so a message is never held in memory.
// Errc::invalid for what RFC 6455 forbids (a reserved bit or opcode, a length that is not the shortest, a mask that is
// missing or too much, a continuation of nothing, a control frame in pieces) and for text; too_large over a limit.
// After an error nothing more comes.
class FrameReader {
 public:
  explicit FrameReader(Side of_sender) : sender_(of_sender) {}
  void feed(std::span<const std::byte> bytes);
  Result<std::optional<Part>> next();
  std::size_t held() const { return input_.size() - taken_; }

 private:
  struct Header {
    Opcode opcode = Opcode::binary;
    bool last = true;
    std::uint64_t left = 0;  // payload bytes still to come
    std::optional<MaskKey> mask;
    std::size_t masked = 0;  // bytes of the payload that have come
  };
  Result<std::optional<Header>> read_header();
  Result<void> check(const Header& header) const;
  Bytes take(std::size_t size);

  Side sender_;
  Bytes input_;
  std::size_t taken_ = 0;
  std::optional<Header> header_;
  std::optional<std::uint64_t> message_;  // bytes so far of a message that goes on
  bool broken_ = false;
};

}  // namespace sallyport::websocket
