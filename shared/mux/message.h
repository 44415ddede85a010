#pragma once

#include "shared/base/value.h"
#include "shared/mux/byte_queue.h"

#include <array>
#include <optional>
#include <span>

namespace sallyport::mux {

constexpr std::size_t kMaxMessage = 1u << 20;
constexpr std::size_t kMessagePrefix = 4;

// The length that goes before a message on a channel: 4 bytes, big-endian.
std::array<std::byte, kMessagePrefix> message_prefix(std::size_t size);

// Takes bytes of a channel in, gives whole messages out. Refuses a length over `limit` before the message arrives;
// keeps at most one incomplete message and what was fed after it. No IO, no clock.
class MessageReader {
 public:
  explicit MessageReader(std::size_t limit = kMaxMessage) : limit_(limit) {}

  void feed(std::span<const std::byte> bytes);
  Result<std::optional<Bytes>> next();  // nullopt: more bytes are needed
  // Errc::invalid when the flow ended inside a message.
  Result<void> finish() const;

 private:
  std::size_t limit_;
  ByteQueue queue_;
};

}  // namespace sallyport::mux
