#pragma once

#include "shared/async/byte_stream.h"
#include "shared/http/edge_stream.h"

#include <boost/beast/core/flat_buffer.hpp>

#include <cstdint>

namespace sallyport::http {

struct UpgradeFigures {
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
};

// What an upgraded connection is to the one who serves it: first the bytes that were read behind the request, then the
// connection's. Lives shorter than what it refers to, on its executor.
class UpgradedStream final : public ByteStream {
 public:
  UpgradedStream(EdgeStream& stream, boost::beast::flat_buffer& first, UpgradeFigures& figures)
      : stream_(stream), first_(first), figures_(figures) {}

  boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  boost::asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override;
  void close() noexcept override;

 private:
  Error broken(const boost::system::error_code& why) const;

  EdgeStream& stream_;
  boost::beast::flat_buffer& first_;
  UpgradeFigures& figures_;
  bool closed_ = false;
};

}  // namespace sallyport::http
