#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <optional>
#include <utility>

namespace sallyport::http {

// The bytes of one accepted connection, inside TLS or as they are. Meets Asio's AsyncReadStream and AsyncWriteStream;
// deadlines are those of lowest().
class EdgeStream {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;

  // Without `tls` in clear text. What it is given outlives this.
  EdgeStream(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls) : tcp_(std::move(socket)) {
    if (tls != nullptr) tls_.emplace(tcp_, *tls);
  }

  executor_type get_executor() { return tcp_.get_executor(); }
  boost::beast::tcp_stream& lowest() { return tcp_; }

  boost::asio::awaitable<boost::system::error_code> shake_hands() {
    if (!tls_) co_return boost::system::error_code();
    const auto [failed] = co_await tls_->async_handshake(boost::asio::ssl::stream_base::server, kNoThrow);
    co_return failed;
  }
  // Tells the peer that nothing more comes.
  boost::asio::awaitable<void> say_farewell() {
    if (tls_) co_await tls_->async_shutdown(kNoThrow);
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Token>(token));
    return tcp_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Token>(token));
    return tcp_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  static constexpr auto kNoThrow = boost::asio::as_tuple(boost::asio::use_awaitable);
  boost::beast::tcp_stream tcp_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
};

}  // namespace sallyport::http
