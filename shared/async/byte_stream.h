#pragma once

#include "shared/base/result.h"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <span>

namespace sallyport {

// An ordered, reliable flow of bytes both ways: what a session needs from TLS over TCP, and nothing else.
// One read and one write may be under way at a time. The caller keeps the spans alive until the operation ends.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual boost::asio::awaitable<Result<std::size_t>> read_some(
      std::span<std::byte> into) = 0;  // 0 = the peer closed cleanly
  virtual boost::asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) = 0;
  // The same for bytes in several places, one after the other. A stream that packs bytes ends a pack with each piece.
  virtual boost::asio::awaitable<Result<void>> write_pieces(std::span<const std::span<const std::byte>> pieces);
  virtual void close() noexcept = 0;  // pending operations end with Errc::cancelled
};

}  // namespace sallyport
