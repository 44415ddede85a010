#include "shared/base/text.h"
#include "shared/crypto/enrolment_string.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport;

namespace {

void round_trip(std::string_view text) {
  const auto parts = crypto::parse_enrolment_string(text);
  if (!parts) return;
  const auto again = crypto::format_enrolment_string(*parts);
  if (!again || text.find(again->reveal()) == std::string_view::npos) std::abort();
}

}  // namespace

// The bytes as a string, and as a payload with a right checksum, so that the fuzzer gets behind it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text);
  const auto sum = crypto::sha256(text);
  round_trip("spe1." + base64url(as_bytes(std::string(text) + std::string(as_text(sum).substr(0, 4)))));
  return 0;
}
