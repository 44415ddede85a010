#include "agent/link/proxy.h"

#include <cstdlib>

using namespace sallyport;
using namespace sallyport::agent;

// The first byte chooses: a proxy's answer in pieces, a proxy's URL, a no_proxy list.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const auto text = as_text(bytes);
  if (data[0] % 4 == 0) {
    if (const auto proxy = parse_proxy_url(text)) {
      const auto request = connect_request({"relay.example", 443}, *proxy).reveal().size();
      if (request > 8192) std::abort();
    }
    return 0;
  }
  if (data[0] % 4 == 1) {
    (void)bypasses_proxy(text, {"10.1.2.3", 443});
    (void)bypasses_proxy(text, {"relay.example", 443});
    return 0;
  }
  ProxyAnswer answer({"proxy", 3128});
  const std::size_t piece = 1 + (data[0] >> 2);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto open = answer.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    if (!open || *open) return 0;
  }
  return 0;
}
