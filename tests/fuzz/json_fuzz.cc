#include "shared/base/json.h"

#include <cstdint>
#include <cstdlib>

// Whatever parses must write and parse back to the same value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto stored = parse_stored_json(text)) {
    const auto again = parse_stored_json(stored_json(*stored));
    if (!again || stored_json(*again) != stored_json(*stored)) std::abort();
  }
  const auto value = parse_json(text);
  if (!value) return 0;
  const auto again = parse_json(canonical_json(*value));
  if (!again || canonical_json(*again) != canonical_json(*value)) std::abort();
  return 0;
}
