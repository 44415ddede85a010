#include "shared/websocket/frames.h"

#include <algorithm>
#include <cstdlib>

using namespace sallyport;
using namespace sallyport::websocket;

// The first byte chooses the sender and how the rest is cut. What was read cannot be more than what was sent, nothing
// is held but the beginning of a frame, and data written again reads as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const auto side = data[0] % 2 == 0 ? Side::client : Side::server;
  const std::size_t piece = 1 + (data[0] >> 1);
  FrameReader reader(side);
  std::size_t got = 0;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(bytes.subspan(at, std::min(piece, bytes.size() - at)));
    for (;;) {
      const auto part = reader.next();
      if (!part) return 0;
      if (!*part) break;
      got += (*part)->bytes.size();
      if (got > bytes.size()) std::abort();
      if ((*part)->kind != Opcode::binary && (*part)->bytes.size() > kMaxControl) std::abort();
    }
    if (reader.held() > piece + kMaxControl + 14) std::abort();
  }
  return 0;
}
