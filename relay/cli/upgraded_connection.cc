#include "relay/cli/upgraded_connection.h"

#include "relay/cli/transport.h"
#include "relay/cli/upgrade_answer.h"
#include "shared/async/blocking.h"
#include "shared/async/socket_options.h"
#include "shared/async/timeout.h"
#include "shared/base/text.h"
#include "shared/base/value.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>

namespace sallyport::cli {
namespace asio = boost::asio;
using asio::awaitable;
namespace {

constexpr std::size_t kOneRecord = 16u << 10;  // of TLS, which libcurl writes each by itself
constexpr std::size_t kTurn = 256u << 10;      // bytes before other work of the loop gets its turn
constexpr std::chrono::seconds kAnswer{10};
constexpr std::string_view kScheme = "https://";
constexpr auto kAsValue = asio::as_tuple(asio::use_awaitable);

// A handle of libcurl with the connection that it made. The text of an error and the URL live beside it.
struct Connected {
  explicit Connected(std::string to) : url(std::move(to)), handle(curl_easy_init()) {}
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;
  ~Connected() { curl_easy_cleanup(handle); }

  std::string url;
  char problem[CURL_ERROR_SIZE] = "";
  CURL* handle;
};

int look_at_stop(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stop)->load() ? 1 : 0;
}

// Blocks.
Result<std::unique_ptr<Connected>> connect(const Endpoint& endpoint, const std::atomic<bool>& stop) {
  auto connected = std::make_unique<Connected>(endpoint.url);
  auto* handle = connected->handle;
  set_transport(handle, endpoint, connected->url, connected->problem);
  curl_easy_setopt(handle, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &look_at_stop);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &stop);
  if (const auto code = curl_easy_perform(handle); code != CURLE_OK) {
    return std::unexpected(transport_error(code, connected->problem, connected->url));
  }
  return connected;
}

// The connection as it is: whatever libcurl made it of, bytes in clear go in and out of it here.
class CurlStream final : public ByteStream {
 public:
  CurlStream(const asio::any_io_executor& on, std::unique_ptr<Connected> connected)
      : connected_(std::move(connected)), socket_(on) {
    curl_socket_t number = CURL_SOCKET_BAD;
    curl_easy_getinfo(connected_->handle, CURLINFO_ACTIVESOCKET, &number);
    boost::system::error_code ignored;
    socket_.assign(asio::ip::tcp::v4(), number, ignored);  // is only waited for
  }
  // The socket is libcurl's to close.
  ~CurlStream() override {
    boost::system::error_code ignored;
    if (socket_.is_open()) socket_.release(ignored);
  }

  awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override;
  void close() noexcept override {
    closed_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  void give_back(std::span<const std::byte> bytes) { first_.assign(bytes.begin(), bytes.end()); }

 private:
  awaitable<Result<void>> wait_for(asio::socket_base::wait_type what);
  std::unexpected<Error> broke(CURLcode code) const {
    return fail(Errc::unavailable, fmt::format("the connection broke: {}", curl_easy_strerror(code)));
  }

  std::unique_ptr<Connected> connected_;
  asio::ip::tcp::socket socket_;
  Bytes first_;           // came with the answer
  std::size_t turn_ = 0;  // bytes since others had theirs
  bool closed_ = false;
};

awaitable<Result<void>> CurlStream::wait_for(asio::socket_base::wait_type what) {
  if (closed_) co_return fail(Errc::cancelled, "the stream was closed");
  turn_ = 0;
  const auto [failed] = co_await socket_.async_wait(what, kAsValue);
  if (closed_ || failed == asio::error::operation_aborted) co_return fail(Errc::cancelled, "the stream was closed");
  if (failed) co_return fail(Errc::unavailable, "the connection broke: " + failed.message());
  co_return Result<void>();
}

awaitable<Result<std::size_t>> CurlStream::read_some(std::span<std::byte> into) {
  if (!first_.empty()) {
    const auto count = std::min(first_.size(), into.size());
    std::memcpy(into.data(), first_.data(), count);
    first_.erase(first_.begin(), first_.begin() + static_cast<std::ptrdiff_t>(count));
    co_return count;
  }
  if (turn_ >= kTurn) {
    turn_ = 0;
    co_await asio::post(asio::use_awaitable);
  }
  for (std::size_t got = 0;;) {
    if (closed_) co_return fail(Errc::cancelled, "the stream was closed");
    std::size_t count = 0;
    const auto code = curl_easy_recv(connected_->handle, into.data() + got, into.size() - got, &count);
    got += count;
    turn_ += count;
    const bool ended = code == CURLE_OK && count == 0;
    if (code == CURLE_OK && !ended && got < into.size()) continue;
    if (got > 0 || ended) co_return got;
    if (code != CURLE_AGAIN) co_return broke(code);
    SP_CO_CHECK(co_await wait_for(asio::socket_base::wait_read));
  }
}

awaitable<Result<void>> CurlStream::write_all(std::span<const std::byte> bytes) {
  std::optional<Corked> corked;
  if (bytes.size() > kOneRecord) corked.emplace(socket_);
  while (!bytes.empty()) {
    if (closed_) co_return fail(Errc::cancelled, "the stream was closed");
    std::size_t count = 0;
    const auto code = curl_easy_send(connected_->handle, bytes.data(), bytes.size(), &count);
    bytes = bytes.subspan(count);
    if (code == CURLE_AGAIN) {
      SP_CO_CHECK(co_await wait_for(asio::socket_base::wait_write));
    } else if (code != CURLE_OK) {
      co_return broke(code);
    }
  }
  co_return Result<void>();
}

// The token is in it.
std::string request_of(const Endpoint& endpoint, const std::string& path, const std::string& protocol) {
  const auto where = std::string_view(endpoint.url).substr(kScheme.size());
  const auto slash = std::min(where.find('/'), where.size());
  return fmt::format(
      "GET {}{} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: application/problem+json\r\n"
      "User-Agent: sallyport-cli\r\nConnection: Upgrade\r\nUpgrade: {}\r\n\r\n",
      where.substr(slash), path, where.substr(0, slash), endpoint.token.reveal(), protocol);
}

awaitable<Result<void>> ask(CurlStream& stream, std::string request) {
  auto sent = co_await stream.write_all(std::as_bytes(std::span(request)));
  wipe(request.data(), request.size());
  co_return sent;
}

awaitable<Result<UpgradeAnswer>> read_answer(CurlStream& stream, const std::string& protocol) {
  std::string bytes;
  Bytes some(16u << 10);
  for (;;) {
    SP_CO_TRY(const auto count, co_await stream.read_some(some));
    if (count == 0) co_return fail(Errc::unavailable, "the relay closed the connection without an answer");
    bytes.append(as_text(std::span(some).first(count)));
    SP_CO_TRY(auto answer, read_upgrade_answer(bytes, protocol));
    if (!answer) continue;
    stream.give_back(as_bytes(std::string_view(bytes).substr(answer->used)));
    co_return *std::move(answer);
  }
}

awaitable<Result<UpgradeAnswer>> exchange(CurlStream& stream, const Endpoint& endpoint, std::string path,
                                          std::string protocol) {
  SP_CO_CHECK(co_await ask(stream, request_of(endpoint, path, protocol)));
  co_return co_await read_answer(stream, protocol);
}

}  // namespace

awaitable<Result<std::unique_ptr<ByteStream>>> upgrade(UpgradeTools tools, std::string path, std::string protocol) {
  const auto on = co_await asio::this_coro::executor;
  SP_CO_TRY(auto connected, co_await run_blocking(tools.pool, [&] { return connect(tools.endpoint, tools.stop); }));
  auto stream = std::make_unique<CurlStream>(on, std::move(connected));
  SP_CO_TRY(const auto answer, co_await with_timeout(kAnswer, exchange(*stream, tools.endpoint, path, protocol)));
  if (answer.status != 101)
    co_return std::unexpected(
        error_of({.status = answer.status, .request_id = answer.request_id, .body = answer.body}));
  co_return std::move(stream);
}

}  // namespace sallyport::cli
