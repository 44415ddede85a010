#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::tls {

inline constexpr std::size_t kMaxClientHello = 16u << 10;  // with its records' headers

// So many bytes from the beginning of the connection are needed to know more; never over kMaxClientHello.
struct MoreNeeded {
  std::size_t bytes = 0;
};
// What a whole ClientHello offers (RFC 8446 §4.1.2, RFC 7301 §3.1), in its order; empty without ALPN.
struct OfferedProtocols {
  std::vector<std::string> names;
};
// No ClientHello, a malformed one, or one over the limit.
struct NoClientHello {};

using FirstWords = std::variant<MoreNeeded, OfferedProtocols, NoClientHello>;

// What the first bytes of a connection are, without taking them: `bytes` are from its very beginning. For choosing who
// gets the connection; whoever gets it reads the handshake again, and judges it. No IO, no state.
FirstWords read_first_words(std::span<const std::byte> bytes);

}  // namespace sallyport::tls
