#include "shared/crypto/signing_key.h"

#include "shared/crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace sallyport::crypto {
namespace {

using ContextOwner = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

constexpr std::size_t kMostPem = 4096;

Result<KeyHandle> public_handle(std::span<const std::byte> key) {
  KeyHandle handle(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(key), key.size()));
  if (key.size() != kEd25519Size || handle == nullptr) return fail_openssl(Errc::invalid, "not an Ed25519 public key");
  return handle;
}

Result<Bytes> raw_public(const EVP_PKEY* key) {
  Bytes raw(kEd25519Size);
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key, writable_octets(raw), &size) != 1 || size != raw.size()) {
    return fail_openssl(Errc::invalid, "not an Ed25519 public key");
  }
  return raw;
}

}  // namespace

Result<SigningKey> SigningKey::generate() {
  KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) return fail_openssl(Errc::internal, "cannot make an Ed25519 key");
  return SigningKey(std::move(key));
}

Result<SigningKey> SigningKey::from_seed(const Secret& seed) {
  const auto bytes = as_bytes(seed.reveal());
  KeyHandle key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(bytes), bytes.size()));
  if (bytes.size() != kEd25519Size || key == nullptr) return fail_openssl(Errc::invalid, "not an Ed25519 private key");
  return SigningKey(std::move(key));
}

Result<Secret> SigningKey::seed() const {
  std::string seed(kEd25519Size, '\0');
  std::size_t size = seed.size();
  if (EVP_PKEY_get_raw_private_key(key_.get(), reinterpret_cast<unsigned char*>(seed.data()), &size) != 1) {
    return fail_openssl(Errc::internal, "cannot write the Ed25519 key");
  }
  return Secret::take(seed);
}

Result<Bytes> SigningKey::public_key() const { return raw_public(key_.get()); }

Result<Bytes> SigningKey::sign(std::span<const std::byte> message) const {
  const ContextOwner context(EVP_MD_CTX_new());
  Bytes signature(kSignatureSize);
  std::size_t size = signature.size();
  if (context == nullptr || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), writable_octets(signature), &size, octets(message), message.size()) != 1) {
    return fail_openssl(Errc::internal, "cannot sign");
  }
  return signature;
}

Result<void> check_signature(std::span<const std::byte> public_key, std::span<const std::byte> message,
                             std::span<const std::byte> signature) {
  SP_TRY(const auto key, public_handle(public_key));
  const ContextOwner context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message), message.size()) != 1) {
    ERR_clear_error();
    return fail(Errc::invalid, "this key did not sign it, or it was changed since");
  }
  return {};
}

Result<std::string> public_key_pem(std::span<const std::byte> public_key) {
  SP_TRY(const auto key, public_handle(public_key));
  const BioOwner bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_PUBKEY(bio.get(), key.get()) != 1) {
    return fail_openssl(Errc::internal, "cannot write the public key");
  }
  return bio_text(bio.get());
}

Result<Bytes> public_key_from_pem(const std::string& pem) {
  if (pem.size() > kMostPem) return fail(Errc::invalid, "not a public key in PEM form: it is too large");
  const auto bio = read_only_bio(pem);
  const KeyHandle key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    ERR_clear_error();  // what OpenSSL says of it ("unsupported") helps nobody
    return fail(Errc::invalid, "not an Ed25519 public key in PEM form");
  }
  return raw_public(key.get());
}

}  // namespace sallyport::crypto
