#include "shared/websocket/handshake.h"

#include "shared/crypto/digest.h"
#include "shared/crypto/random.h"

#include <algorithm>

namespace sallyport::websocket {
namespace {

constexpr std::size_t kKeySize = 16;
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

}  // namespace

std::string new_key() { return base64(crypto::random_bytes(kKeySize)); }

std::optional<std::string> accept_key(std::string_view key) {
  const auto bytes = from_base64(key);
  if (!bytes || bytes->size() != kKeySize) return std::nullopt;
  return base64(crypto::sha1(as_bytes(std::string(key) + std::string(kGuid))));
}

bool offers_subprotocol(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    auto name = list.substr(0, end);
    while (name.starts_with(' ') || name.starts_with('\t')) name.remove_prefix(1);
    while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
    if (name == wanted) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace sallyport::websocket
