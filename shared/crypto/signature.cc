#include "shared/crypto/signature.h"

#include "shared/crypto/openssl.h"

#include <openssl/err.h>

namespace sallyport::crypto {
namespace {

using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

}  // namespace

Result<Bytes> sign(const PrivateKey& key, std::span<const std::byte> text) {
  const DigestContext context(EVP_MD_CTX_new());
  Bytes signature(kMaxSignature);
  std::size_t length = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.native()) != 1 ||
      EVP_DigestSign(context.get(), writable_octets(signature), &length, octets(text), text.size()) != 1) {
    return fail_openssl(Errc::internal, "signing");
  }
  signature.resize(length);
  return signature;
}

bool has_signed(const Certificate& signer, std::span<const std::byte> text, std::span<const std::byte> signature) {
  auto* key = X509_get0_pubkey(signer.native());
  if (key == nullptr || !is_p256(key) || signature.size() > kMaxSignature) return false;
  const DigestContext context(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace sallyport::crypto
