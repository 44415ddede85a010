#include "relay/tunnels/reach.h"

#include <cstdint>
#include <cstdlib>

// What an agent says of a target: whatever the bytes, a value within its limits or an error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto reach = sallyport::tunnels::parse_reach(std::as_bytes(std::span(data, size)));
  if (!reach) return 0;
  if (reach->answers && !reach->allowed) std::abort();
  if (reach->rule.size() + reach->detail.size() > 2'000) std::abort();
  return 0;
}
