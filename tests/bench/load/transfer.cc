#include "tests/bench/load/transfer.h"

#include "shared/base/text.h"
#include "shared/crypto/digest.h"
#include "tests/bench/load/noise.h"
#include "tests/bench/load/sockets.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <thread>
#include <vector>

namespace sallyport::bench {
namespace {

constexpr std::size_t kChunk = 256u << 10;
constexpr std::chrono::seconds kPatience{30};

using Digest = crypto::Digest;

// What a client begins with, in the bytes of this machine.
struct Order {
  std::uint64_t bytes = 0;
  std::uint64_t down = 0;
};

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

bool send_noise(int socket, std::uint64_t bytes, Digest& digest) {
  std::vector<std::byte> chunk(kChunk);
  crypto::Sha256 hash;
  for (std::uint64_t block = 0; bytes > 0; ++block) {
    fill_noise(chunk, block);
    const auto part = std::span(chunk).first(std::min<std::uint64_t>(bytes, kChunk));
    hash.update(part);
    if (!send_all(socket, part)) return false;
    bytes -= part.size();
  }
  digest = hash.finish();
  return true;
}

bool receive_noise(int socket, std::uint64_t bytes, Digest& digest) {
  std::vector<std::byte> chunk(kChunk);
  crypto::Sha256 hash;
  while (bytes > 0) {
    const auto got = ::recv(socket, chunk.data(), std::min<std::uint64_t>(bytes, kChunk), 0);
    if (got <= 0) return false;
    hash.update(std::span(chunk).first(static_cast<std::size_t>(got)));
    bytes -= static_cast<std::uint64_t>(got);
  }
  digest = hash.finish();
  return true;
}

// The store's own digest goes to the client after the last byte.
void serve(int socket) {
  Order order;
  Digest digest{};
  if (!receive_all(socket, bytes_of(order))) return;
  const bool whole =
      order.down != 0 ? send_noise(socket, order.bytes, digest) : receive_noise(socket, order.bytes, digest);
  if (whole) send_all(socket, digest);
}

}  // namespace

Result<void> run_store(const sockaddr_in& listen) {
  SP_TRY(const auto listener, listen_at(listen));
  for (;;) {
    const Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) serve(client.get());
  }
}

Result<Transferred> transfer(const sockaddr_in& entrance, Direction direction, std::uint64_t bytes) {
  const auto began = std::chrono::steady_clock::now();
  SP_TRY(const auto socket, connect_to(entrance, kPatience));
  Order order{bytes, direction == Direction::down ? 1u : 0u};
  Digest own{};
  Digest other{};
  const bool whole =
      send_all(socket.get(), bytes_of(order)) &&
      (direction == Direction::down ? receive_noise(socket.get(), bytes, own) : send_noise(socket.get(), bytes, own)) &&
      receive_all(socket.get(), other);
  if (!whole) return fail(Errc::unavailable, "the transfer broke off");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const auto [sent, received] = direction == Direction::down ? std::pair(other, own) : std::pair(own, other);
  return Transferred{hex(sent), hex(received), took.count()};
}

}  // namespace sallyport::bench
