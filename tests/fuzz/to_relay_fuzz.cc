#include "relay/gateway/codec.h"

#include <cstdint>

// Messages of an agent on the jobs channel: whatever the bytes, a value or an error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)sallyport::gateway::decode(std::as_bytes(std::span(data, size)));
  return 0;
}
