#pragma once

#include "relay/gateway/doorway.h"
#include "shared/async/byte_stream.h"
#include "shared/base/text.h"

#include <memory>

namespace sallyport::gateway {

// A stream whose first bytes are awaited at the door and read by whoever it is given to afterwards.
class HeldBack final : public ByteStream, public Line {
 public:
  explicit HeldBack(std::unique_ptr<ByteStream> under) : under_(std::move(under)) {}

  boost::asio::awaitable<Result<void>> readable() override;
  void turn_away() override { under_->close(); }

  boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  boost::asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override {
    return under_->write_all(bytes);
  }
  void close() noexcept override { under_->close(); }

 private:
  std::unique_ptr<ByteStream> under_;
  Bytes first_;
  bool ended_ = false;  // before anything came
};

}  // namespace sallyport::gateway
