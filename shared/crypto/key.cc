#include "shared/crypto/key.h"

#include "shared/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

namespace sallyport::crypto {
namespace {

constexpr std::size_t kMaxKeyPem = 4u << 10;

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;

constexpr auto kUncompressed = std::byte{4};

// Always uncompressed, however the key came in.
Bytes encoded_point(EVP_PKEY* key) {
  Bytes point(kPointSize);
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, writable_octets(point), point.size(),
                                      &size) != 1 ||
      size != kPointSize) {
    return {};
  }
  return point;
}

// Without it libcrypto would ask for a passphrase on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

void KeyFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<PublicKey> PublicKey::from_point(std::span<const std::byte> point) {
  if (point.size() != kPointSize || point[0] != kUncompressed)
    return fail(Errc::invalid, "not a point of P-256 in its uncompressed form");
  std::string curve = "P-256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<std::byte*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  const KeyContext from(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  const bool read =
      EVP_PKEY_fromdata_init(from.get()) == 1 && EVP_PKEY_fromdata(from.get(), &made, EVP_PKEY_PUBLIC_KEY, params) == 1;
  KeyHandle key(made);
  if (!read) return fail_openssl(Errc::invalid, "not a point of P-256");
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  if (EVP_PKEY_public_check(check.get()) != 1) return fail_openssl(Errc::invalid, "not a public key of P-256");
  return PublicKey(std::move(key));
}

Bytes PublicKey::point() const { return encoded_point(key_.get()); }

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

Bytes PrivateKey::public_point() const { return encoded_point(key_.get()); }

Result<Secret> PrivateKey::shared_with(const PublicKey& other) const {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  std::string shared(32, '\0');
  std::size_t size = shared.size();
  if (EVP_PKEY_derive_init(context.get()) != 1 || EVP_PKEY_derive_set_peer(context.get(), other.native()) != 1 ||
      EVP_PKEY_derive(context.get(), reinterpret_cast<unsigned char*>(shared.data()), &size) != 1 ||
      size != shared.size()) {
    wipe(shared.data(), shared.size());
    return fail_openssl(Errc::invalid, "agreeing on a secret with another P-256 key");
  }
  return Secret::take(shared);
}

}  // namespace sallyport::crypto
