#include "agent/connectors/certificate/prelude.h"

#include <cstdlib>

using namespace sallyport;
using namespace sallyport::connectors::certificate;

// The first byte chooses the protocol and the size of the pieces; the rest is what the server says.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::span(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  Prelude prelude(static_cast<Before>(data[0] % 7), Secret::take(std::string("CONNECT")));
  const std::size_t piece = 1 + (data[0] / 7);
  std::size_t said = prelude.take_output().size();
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto fed = prelude.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    said += prelude.take_output().size();
    if (!fed || *fed) break;
  }
  if (said > 64) std::abort();
  return 0;
}
