#include "shared/crypto/spiffe.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto id = crypto::parse_spiffe_id(text);
  if (id && crypto::to_string(*id) != text) std::abort();
  return 0;
}
