#pragma once

#include "shared/async/byte_stream.h"
#include "shared/async/event.h"
#include "shared/base/value.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <utility>

namespace sallyport::test {

// One direction of a connection in memory, with the faults of a real one.
struct MemoryPipe {
  explicit MemoryPipe(boost::asio::any_io_executor executor) : changed(std::move(executor)) {}
  Bytes bytes;
  std::size_t capacity = 256u << 10;  // writers wait when it is full
  std::uint64_t carried = 0;
  bool closed = false;   // by the writer: the reader sees the end after the bytes
  bool broken = false;   // both sides see an error
  bool stalled = false;  // nothing arrives any more, nobody is told (a half-open connection)
  Event changed;
  void touch() { changed.set(); }
};

// A ByteStream over two pipes. The pipes are shared with the test, which may stall or break them at any time.
class MemoryStream final : public ByteStream {
 public:
  MemoryStream(std::shared_ptr<MemoryPipe> in, std::shared_ptr<MemoryPipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override { close(); }
  boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  boost::asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override;
  void close() noexcept override;

 private:
  std::shared_ptr<MemoryPipe> in_, out_;
  bool closed_ = false;
};

struct MemoryLine {
  std::unique_ptr<ByteStream> a, b;
  std::shared_ptr<MemoryPipe> a_to_b, b_to_a;
};
MemoryLine memory_line(boost::asio::any_io_executor executor);

}  // namespace sallyport::test
