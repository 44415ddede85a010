#pragma once

#include "shared/tls/refusal.h"
#include "shared/tls/secure_stream.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::tls {

// TLS over one connected TCP socket, which it owns. Belongs to the socket's executor: use it there only. One read and
// one write may be under way at a time. A read gives as many records as have arrived and fit; large writes leave in
// pieces of 128 KiB, and no record holds bytes of two pieces of write_pieces(). A stream that was always ready gives
// way to other work of its loop every 256 KiB.
//
// read_some: 0 after the peer's close_notify; Errc::unavailable when the connection ended without one (truncation) or
// broke; Errc::unauthenticated when the peer refused with an alert (with TLS 1.3 an agent learns here that the relay
// did not accept its certificate). After a failed or cancelled write only close() is left, because a part may have gone
// out.
class TlsStream final : public SecureStream {
 public:
  struct Impl;
  explicit TlsStream(std::shared_ptr<Impl> impl);
  ~TlsStream() override;  // closes

  boost::asio::awaitable<Result<std::size_t>> read_some(std::span<std::byte> into) override;
  boost::asio::awaitable<Result<void>> write_all(std::span<const std::byte> bytes) override;
  boost::asio::awaitable<Result<void>> write_pieces(std::span<const std::span<const std::byte>> pieces) override;
  // Sends close_notify if the socket takes it at once and no write was cut off, and closes the socket.
  void close() noexcept override;
  boost::asio::awaitable<void> finish(SteadyTime deadline) override;

  const SessionFacts& facts() const override;
  Result<Bytes> export_keying_material(std::string_view label, std::size_t length) const override;

 private:
  std::shared_ptr<Impl> impl_;  // shared with operations under way, so that the owner may die first
};

using Handshake = std::expected<std::unique_ptr<TlsStream>, Refusal>;

// Both take over a connected socket, also one that an HTTP proxy's CONNECT has been through, make it non-blocking and
// close it when the handshake is refused or has not ended by `deadline`.
boost::asio::awaitable<Handshake> accept_tls(boost::asio::ip::tcp::socket socket, const ServerContext& context,
                                             SteadyTime deadline);
// `host` is the DNS name or IP address (IPv6 without brackets) that the relay's certificate must name.
boost::asio::awaitable<Handshake> connect_tls(boost::asio::ip::tcp::socket socket, const ClientContext& context,
                                              std::string host, SteadyTime deadline);

}  // namespace sallyport::tls
