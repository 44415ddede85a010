#include "tests/bench/load/sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

namespace sallyport::bench {
namespace {

constexpr int kBacklog = 4'096;

std::unexpected<Error> failed(std::string_view what) {
  return fail(Errc::unavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

template <class Value>
void set(int socket, int level, int option, const Value& value) {
  ::setsockopt(socket, level, option, &value, sizeof(value));
}

void bind_somewhere(int socket) {
  static std::atomic<std::uint32_t> next{0};
  set(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl((127u << 24) + (1u << 8) + 1 + next++ % 250);
  static_cast<void>(::bind(socket, reinterpret_cast<const sockaddr*>(&from), sizeof(from)));
}

}  // namespace

Result<sockaddr_in> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 0;
  if (colon != std::string_view::npos) std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  const std::string host(text.substr(0, colon));
  if (port == 0 || ::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return fail(Errc::invalid, fmt::format("\"{}\" is no IPv4 address and port", text));
  }
  address.sin_port = htons(port);
  return address;
}

Result<Fd> listen_at(const sockaddr_in& address) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed("making a socket");
  set(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return failed("binding");
  if (::listen(socket.get(), kBacklog) != 0) return failed("listening");
  return socket;
}

Result<Fd> connect_to(const sockaddr_in& address, std::chrono::seconds limit) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed("making a socket");
  bind_somewhere(socket.get());
  const timeval time{.tv_sec = limit.count(), .tv_usec = 0};
  set(socket.get(), SOL_SOCKET, SO_SNDTIMEO, time);  // of connect(), too
  set(socket.get(), SOL_SOCKET, SO_RCVTIMEO, time);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return failed("connecting");
  }
  without_delay(socket.get());
  return socket;
}

bool send_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(int socket, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const auto got = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

void without_delay(int socket) { set(socket, IPPROTO_TCP, TCP_NODELAY, 1); }

void reset_when_closed(int socket) { set(socket, SOL_SOCKET, SO_LINGER, linger{.l_onoff = 1, .l_linger = 0}); }

}  // namespace sallyport::bench
