#include "shared/http/upgraded_stream.h"

#include "shared/async/socket_options.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <optional>

namespace sallyport::http {

namespace asio = boost::asio;

namespace {
constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kOneRecord = 16u << 10;  // of TLS, which Asio writes each by itself
}  // namespace

asio::awaitable<Result<std::size_t>> UpgradedStream::read_some(std::span<std::byte> into) {
  if (first_.size() > 0) {
    const auto count = asio::buffer_copy(asio::buffer(into.data(), into.size()), first_.data());
    first_.consume(count);
    if (first_.size() == 0) first_ = {};
    figures_.received += count;
    co_return count;
  }
  const auto [failed, count] = co_await stream_.async_read_some(asio::buffer(into.data(), into.size()), kNoThrow);
  figures_.received += count;
  if (failed == asio::error::eof) co_return std::size_t{0};
  if (failed) co_return std::unexpected(broken(failed));
  co_return count;
}

asio::awaitable<Result<void>> UpgradedStream::write_all(std::span<const std::byte> bytes) {
  std::optional<Corked> corked;
  if (bytes.size() > kOneRecord) corked.emplace(stream_.lowest().socket());
  const auto [failed, count] = co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()), kNoThrow);
  figures_.sent += count;
  if (failed) co_return std::unexpected(broken(failed));
  co_return Result<void>();
}

void UpgradedStream::close() noexcept {
  closed_ = true;
  boost::system::error_code ignored;
  stream_.lowest().socket().close(ignored);
}

Error UpgradedStream::broken(const boost::system::error_code& why) const {
  if (closed_ || why == asio::error::operation_aborted) {
    return {Errc::cancelled, "the stream was closed or the operation cancelled"};
  }
  return {Errc::unavailable, "the connection broke: " + why.message()};
}

}  // namespace sallyport::http
