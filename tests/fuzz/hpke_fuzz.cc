#include "shared/crypto/hpke.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// No bytes open that were not sealed; what parses as a point is that point; any bytes can be sealed and come back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sallyport;
  static const auto recipient = crypto::PrivateKey::generate().value();
  static const auto to = crypto::PublicKey::from_point(recipient.public_point()).value();
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const crypto::HpkeBinding binding{bytes.first(size / 2), bytes.subspan(size / 2)};
  if (crypto::hpke_open(recipient, bytes, binding)) std::abort();
  const auto head = bytes.first(std::min(size, crypto::kPointSize));
  if (auto point = crypto::PublicKey::from_point(head)) {
    if (!std::ranges::equal(point->point(), head)) std::abort();
  }
  const auto sealed = crypto::hpke_seal(to, bytes, binding);
  if (!sealed) std::abort();
  const auto opened = crypto::hpke_open(recipient, *sealed, binding);
  if (!opened || opened->reveal() != as_text(bytes)) std::abort();
  return 0;
}
