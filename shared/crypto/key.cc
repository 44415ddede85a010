#include "shared/crypto/key.h"

#include "shared/crypto/openssl.h"

#include <openssl/ec.h>
#include <openssl/pem.h>

namespace sallyport::crypto {
namespace {

constexpr std::size_t kMaxKeyPem = 4u << 10;

// Without it libcrypto would ask for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

void KeyFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<PrivateKey> PrivateKey::generate() {
  KeyHandle key(EVP_EC_gen("P-256"));
  if (!key) return fail_openssl(Errc::internal, "making a P-256 key");
  return PrivateKey(std::move(key));
}

Result<PrivateKey> PrivateKey::from_pem(const Secret& pem) {
  if (pem.size() > kMaxKeyPem) return fail(Errc::too_large, "a private key file over 4 KiB");
  const auto bio = read_only_bio(pem.reveal());
  KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return fail_openssl(Errc::invalid, "not an unencrypted private key in PEM");
  if (!is_p256(key.get())) return fail(Errc::invalid, "the private key is not of the curve P-256");
  return PrivateKey(std::move(key));
}

Secret PrivateKey::to_pem() const {
  const BioOwner bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) return {};
  return Secret::take(bio_text(bio.get()));
}

Bytes PrivateKey::public_key_der() const { return to_der<i2d_PUBKEY>(key_.get()); }

}  // namespace sallyport::crypto
