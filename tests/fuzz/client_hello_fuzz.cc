#include "shared/tls/client_hello.h"

#include <cstdint>
#include <cstdlib>

using namespace sallyport::tls;

// What is needed is always more than what is there and within the limit, and more bytes never change a verdict.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto verdict = read_first_words(bytes);
  if (const auto* more = std::get_if<MoreNeeded>(&verdict)) {
    if (more->bytes <= size || more->bytes > kMaxClientHello) std::abort();
    return 0;
  }
  for (const auto cut : {size / 2, size - size / 4, size == 0 ? 0 : size - 1}) {
    const auto earlier = read_first_words(bytes.first(cut));
    if (!std::holds_alternative<MoreNeeded>(earlier) && earlier.index() != verdict.index()) std::abort();
  }
  return 0;
}
