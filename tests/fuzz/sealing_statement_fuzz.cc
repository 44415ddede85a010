#include "shared/crypto/ca.h"
#include "shared/sealing/statement.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// What parses is written again in exactly the same bytes, and nobody's word is believed below a root that is not its.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  static const SystemClock clock;
  static const auto root = crypto::make_root("Fuzz root", clock).value();
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto statement = sealing::parse_statement(bytes);
  if (!statement) return 0;
  if (!std::ranges::equal(sealing::to_bytes(*statement), bytes)) std::abort();
  if (sealing::verify_statement(*statement, root.certificate, clock.wall())) std::abort();
  return 0;
}
