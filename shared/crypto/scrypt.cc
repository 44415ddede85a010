#include "shared/crypto/scrypt.h"

#include "shared/base/text.h"
#include "shared/crypto/openssl.h"

#include <openssl/evp.h>

namespace sallyport::crypto {
namespace {

constexpr std::uint64_t kCost = 1u << 17;
constexpr std::uint64_t kBlockSize = 8;
constexpr std::uint64_t kParallel = 1;
constexpr std::uint64_t kMostMemory = 160u << 20;
constexpr std::size_t kKeySize = 32;

}  // namespace

Result<Secret> scrypt(const Secret& passphrase, std::span<const std::byte> salt) {
  std::string derived(kKeySize, '\0');
  const auto text = passphrase.reveal();
  if (EVP_PBE_scrypt(text.data(), text.size(), octets(salt), salt.size(), kCost, kBlockSize, kParallel, kMostMemory,
                     reinterpret_cast<unsigned char*>(derived.data()), derived.size()) != 1) {
    return fail_openssl(Errc::exhausted, "deriving a key from a passphrase (scrypt, 128 MiB)");
  }
  return Secret::take(derived);
}

}  // namespace sallyport::crypto
