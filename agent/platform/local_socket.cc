#include "agent/platform/local_socket.h"

#include "shared/async/timeout.h"

#include <fmt/format.h>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <filesystem>

namespace sallyport::platform {
namespace asio = boost::asio;
using boost::system::error_code;
using local = asio::local::stream_protocol;
namespace {

constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 8;
constexpr auto kAfterFailure = std::chrono::milliseconds(100);

Errc errc_of(const error_code& why) {
  if (why == asio::error::access_denied || why == boost::system::errc::permission_denied) return Errc::forbidden;
  if (why == asio::error::connection_refused || why == boost::system::errc::no_such_file_or_directory)
    return Errc::not_found;
  return Errc::unavailable;
}

std::unexpected<Error> failed(std::string_view what, const std::string& path, const error_code& why) {
  return fail(errc_of(why), fmt::format("{} {}: {}", what, path, why.message()));
}

// The address of a socket there; its longest path is a hundred and some bytes on every system.
Result<local::endpoint> endpoint_of(const std::string& path) {
  try {
    return local::endpoint(path);
  } catch (const boost::system::system_error&) {
    return fail(Errc::invalid, fmt::format("{} is too long for the path of a socket ({} bytes)", path, path.size()));
  }
}

asio::awaitable<Result<void>> say(local::socket& to, const std::string& text) {
  const auto [bad, count] = co_await asio::async_write(to, asio::buffer(text), kAsValue);
  if (bad) co_return fail(Errc::unavailable, bad.message());
  co_return Result<void>();
}

asio::awaitable<Result<std::string>> read_all(std::string path, std::size_t limit) {
  SP_CO_TRY(const auto where, endpoint_of(path));
  local::socket socket(co_await asio::this_coro::executor);
  const auto [unconnected] = co_await socket.async_connect(where, kAsValue);
  if (unconnected) co_return failed("asking", path, unconnected);
  std::string answer;
  std::array<char, 4096> chunk{};
  for (;;) {
    const auto [bad, count] = co_await socket.async_read_some(asio::buffer(chunk), kAsValue);
    if (bad == asio::error::eof) co_return answer;
    if (bad) co_return failed("asking", path, bad);
    if (answer.size() + count > limit)
      co_return fail(Errc::too_large, fmt::format("{} answers with more than {} bytes", path, limit));
    answer.append(chunk.data(), count);
  }
}

}  // namespace

struct LocalTeller::Impl {
  Impl(const asio::any_io_executor& executor, std::string where) : acceptor(executor), path(std::move(where)) {}
  ~Impl() {
    error_code ignored;
    acceptor.close(ignored);
    std::error_code unremoved;
    std::filesystem::remove(path, unremoved);
  }
  local::acceptor acceptor;
  std::string path;
};

LocalTeller::LocalTeller(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalTeller::LocalTeller(LocalTeller&&) noexcept = default;
LocalTeller& LocalTeller::operator=(LocalTeller&&) noexcept = default;
LocalTeller::~LocalTeller() = default;

Result<LocalTeller> LocalTeller::listen(const asio::any_io_executor& executor, const std::string& path) {
  SP_TRY(const auto where, endpoint_of(path));
  std::error_code unremoved;
  std::filesystem::remove(path, unremoved);
  auto impl = std::make_unique<Impl>(executor, path);
  error_code bad;
  impl->acceptor.open(where.protocol(), bad);
  if (!bad) impl->acceptor.bind(where, bad);
  if (!bad) impl->acceptor.listen(kBacklog, bad);
  if (bad) return failed("listening on", path, bad);
  return LocalTeller(std::move(impl));
}

asio::awaitable<void> LocalTeller::run(std::function<std::string()> tell, std::chrono::milliseconds patience) {
  const auto cancelled = [state = co_await asio::this_coro::cancellation_state] {
    return state.cancelled() != asio::cancellation_type::none;
  };
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!cancelled()) {
    auto [bad, asker] = co_await impl_->acceptor.async_accept(kAsValue);
    if (bad) {
      co_await sleep_for(kAfterFailure);
      continue;
    }
    const auto text = tell();
    (void)co_await with_timeout(patience, say(asker, text));  // whoever has gone is not told
  }
}

asio::awaitable<Result<std::string>> ask_locally(std::string path, std::size_t limit, SteadyTime deadline) {
  co_return co_await with_deadline(deadline, read_all(std::move(path), limit));
}

}  // namespace sallyport::platform
