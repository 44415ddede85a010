#include "shared/mux/message.h"

#include "shared/mux/frame.h"

#include <fmt/format.h>

namespace sallyport::mux {

std::array<std::byte, kMessagePrefix> message_prefix(std::size_t size) {
  return {static_cast<std::byte>(size >> 24), static_cast<std::byte>(size >> 16), static_cast<std::byte>(size >> 8),
          static_cast<std::byte>(size)};
}

void MessageReader::feed(std::span<const std::byte> bytes) { queue_.append(bytes); }

Result<std::optional<Bytes>> MessageReader::next() {
  const auto front = queue_.front();
  if (front.size() < kMessagePrefix) return std::nullopt;
  const std::size_t size = read_u32(front.first<kMessagePrefix>());
  if (size > limit_) {
    return fail(Errc::too_large, fmt::format("P9.1: a message of {} bytes, allowed are {}", size, limit_));
  }
  if (front.size() - kMessagePrefix < size) return std::nullopt;
  const auto body = front.subspan(kMessagePrefix, size);
  Bytes message(body.begin(), body.end());
  queue_.drop(kMessagePrefix + size);
  return message;
}

Result<void> MessageReader::finish() const {
  if (queue_.empty()) return {};
  return fail(Errc::invalid, fmt::format("P9.1: the channel ended {} bytes into a message", queue_.size()));
}

}  // namespace sallyport::mux
