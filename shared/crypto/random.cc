#include "shared/crypto/random.h"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

namespace sallyport::crypto {

void fill_random(std::span<std::byte> out) {
  if (out.empty()) return;
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) == 1) return;
  std::fputs("the system gives no random bytes; stopping\n", stderr);
  std::abort();
}

Bytes random_bytes(std::size_t count) {
  Bytes out(count);
  fill_random(out);
  return out;
}

Secret random_secret(std::size_t count) {
  std::string out(count, '\0');
  fill_random(std::as_writable_bytes(std::span(out)));
  return Secret::take(out);
}

IdEntropy new_entropy() {
  IdEntropy entropy;
  fill_random(entropy);
  return entropy;
}

}  // namespace sallyport::crypto
