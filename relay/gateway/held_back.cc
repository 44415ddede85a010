#include "relay/gateway/held_back.h"

#include <algorithm>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kFirst = 4096;  // a ClientHello, usually

}  // namespace

boost::asio::awaitable<Result<void>> HeldBack::readable() {
  Bytes chunk(kFirst);
  SP_CO_TRY(const auto count, co_await under_->read_some(chunk));
  ended_ = count == 0;
  chunk.resize(count);
  first_ = std::move(chunk);
  co_return Result<void>();
}

boost::asio::awaitable<Result<std::size_t>> HeldBack::read_some(std::span<std::byte> into) {
  if (ended_) co_return std::size_t{0};
  if (first_.empty()) co_return co_await under_->read_some(into);
  const auto size = std::min(into.size(), first_.size());
  std::copy_n(first_.begin(), size, into.begin());
  first_.erase(first_.begin(), first_.begin() + static_cast<std::ptrdiff_t>(size));
  co_return size;
}

}  // namespace sallyport::gateway
