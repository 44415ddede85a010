#include "tests/support/memory_stream.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sallyport::test {
namespace asio = boost::asio;

asio::awaitable<Result<std::size_t>> MemoryStream::read_some(std::span<std::byte> into) {
  auto in = in_;
  for (;;) {
    if (closed_) co_return fail(Errc::cancelled, "the stream was closed here");
    if (in->broken) co_return fail(Errc::unavailable, "connection reset by the test");
    if (!in->stalled && !in->bytes.empty()) {
      const auto count = std::min(into.size(), in->bytes.size());
      std::copy_n(in->bytes.begin(), count, into.begin());
      in->bytes.erase(in->bytes.begin(), in->bytes.begin() + static_cast<std::ptrdiff_t>(count));
      in->carried += count;
      in->touch();
      co_return count;
    }
    if (!in->stalled && in->closed) co_return 0;
    in->changed.clear();
    co_await in->changed.wait();
  }
}

asio::awaitable<Result<void>> MemoryStream::write_all(std::span<const std::byte> bytes) {
  auto out = out_;
  while (!bytes.empty()) {
    if (closed_) co_return fail(Errc::cancelled, "the stream was closed here");
    if (out->broken || out->closed) co_return fail(Errc::unavailable, "connection reset by the test");
    const auto count = std::min(bytes.size(), out->capacity - std::min(out->capacity, out->bytes.size()));
    if (count > 0) {
      out->bytes.insert(out->bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
      bytes = bytes.subspan(count);
      out->touch();
      continue;
    }
    out->changed.clear();
    co_await out->changed.wait();
  }
  co_return Result<void>();
}

void MemoryStream::close() noexcept {
  if (closed_) return;
  closed_ = true;
  out_->closed = true;
  in_->closed = true;
  out_->touch();
  in_->touch();
}

MemoryLine memory_line(asio::any_io_executor executor) {
  auto there = std::make_shared<MemoryPipe>(executor);
  auto back = std::make_shared<MemoryPipe>(executor);
  return {std::make_unique<MemoryStream>(back, there), std::make_unique<MemoryStream>(there, back), there, back};
}

}  // namespace sallyport::test
