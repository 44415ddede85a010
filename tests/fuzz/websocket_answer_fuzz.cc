#include "agent/link/websocket.h"

#include <algorithm>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::agent;

// The first byte chooses: an address, or an answer in pieces of a size of its choice.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  if (data[0] == 0) {
    if (const auto address = parse_web_address(as_text(bytes))) {
      if (parse_web_address(to_string(*address)) != *address) std::abort();
      if (websocket_request(*address, "key").find("\r\n\r\n") == std::string::npos) std::abort();
    }
    return 0;
  }
  UpgradeAnswer answer({{"relay", 443}, ""}, "dGhlIHNhbXBsZSBub25jZQ==");
  const std::size_t piece = data[0];
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto open = answer.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    if (!open || *open) return 0;
  }
  return 0;
}
