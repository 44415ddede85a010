#include "shared/mux/message.h"

#include <cstdlib>

using namespace sallyport;

// Length-prefixed messages of a channel, cut into pieces by the first byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t kLimit = 4096;
  mux::MessageReader reader(kLimit);
  const std::size_t piece = 1 + data[0];
  const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    for (;;) {
      const auto message = reader.next();
      if (!message) return 0;
      if (!*message) break;
      if ((*message)->size() > kLimit) std::abort();
    }
  }
  (void)reader.finish();
  return 0;
}
