#include "shared/sealing/credentials.h"

#include <cstdint>
#include <cstdlib>
#include <string>

// What parses is written again in exactly the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  const auto bytes = Secret::take(std::string(reinterpret_cast<const char*>(data), size));
  (void)sealing::read_json_credentials(bytes);
  const auto parsed = sealing::parse_credentials(bytes);
  if (!parsed) return 0;
  const auto again = sealing::format_credentials(*parsed);
  if (!again || again->reveal() != bytes.reveal()) std::abort();
  return 0;
}
