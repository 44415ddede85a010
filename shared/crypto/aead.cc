#include "shared/crypto/aead.h"

#include "shared/crypto/openssl.h"
#include "shared/crypto/random.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <array>
#include <climits>
#include <memory>

namespace sallyport::crypto {
namespace {

constexpr auto kFormat = std::byte{1};
static_assert(kSealOverhead == 1 + kAeadNonceSize + kAeadTagSize);

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using KdfOwner = std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>>;

enum Direction { kDecrypt = 0, kEncrypt = 1 };

// Fetched once: looking an algorithm up costs more than using it on a record.
const EVP_CIPHER* aes_256_gcm() {
  static const std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>> cipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  return cipher.get();
}

EVP_KDF* hkdf() {
  static const KdfOwner kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  return kdf.get();
}

Result<CipherContext> begin(Direction direction, std::span<const std::byte> key, std::span<const std::byte> nonce,
                            std::span<const std::byte> associated) {
  CipherContext context(EVP_CIPHER_CTX_new());
  int length = 0;
  if (EVP_CipherInit_ex2(context.get(), aes_256_gcm(), octets(key), octets(nonce), direction, nullptr) != 1 ||
      (!associated.empty() && EVP_CipherUpdate(context.get(), nullptr, &length, octets(associated),
                                               static_cast<int>(associated.size())) != 1)) {
    return fail_openssl(Errc::internal, "starting AES-256-GCM");
  }
  return context;
}

Result<void> check_sizes(std::span<const std::byte> key, std::size_t text, std::size_t associated) {
  if (key.size() != kAeadKeySize) return fail(Errc::internal, "an AES-256-GCM key must have 32 bytes");
  if (text > INT_MAX - kSealOverhead || associated > INT_MAX)
    return fail(Errc::too_large, "too large to seal in one piece");
  return {};
}

// `out`: as long as the plaintext, and the tag.
Result<void> encrypt(CipherContext context, std::span<const std::byte> plaintext, std::span<std::byte> out) {
  const auto tag = out.last(kAeadTagSize);
  int length = 0;
  if ((!plaintext.empty() && EVP_CipherUpdate(context.get(), writable_octets(out), &length, octets(plaintext),
                                              static_cast<int>(plaintext.size())) != 1) ||
      EVP_CipherFinal_ex(context.get(), writable_octets(out) + length, &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, tag.data()) != 1) {
    return fail_openssl(Errc::internal, "sealing with AES-256-GCM");
  }
  return {};
}

// `sealed`: ciphertext and tag.
Result<Secret> decrypt(CipherContext context, std::span<const std::byte> sealed) {
  const auto body = sealed.first(sealed.size() - kAeadTagSize);
  Bytes tag(sealed.end() - kAeadTagSize, sealed.end());
  std::string plain(body.size(), '\0');
  auto* out = reinterpret_cast<unsigned char*>(plain.data());
  int length = 0;
  const bool authentic = (body.empty() || EVP_CipherUpdate(context.get(), out, &length, octets(body),
                                                           static_cast<int>(body.size())) == 1) &&
                         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, tag.data()) == 1 &&
                         EVP_CipherFinal_ex(context.get(), out + length, &length) == 1;
  if (authentic) return Secret::take(plain);
  wipe(plain.data(), plain.size());
  return fail_openssl(Errc::invalid, "sealed data does not open with this key for this record");
}

}  // namespace

Secret new_aead_key() { return random_secret(kAeadKeySize); }

Result<Bytes> seal(std::span<const std::byte> key, std::span<const std::byte> plaintext,
                   std::span<const std::byte> associated) {
  SP_CHECK(check_sizes(key, plaintext.size(), associated.size()));
  Bytes sealed(kSealOverhead + plaintext.size());
  sealed[0] = kFormat;
  const auto nonce = std::span(sealed).subspan(1, kAeadNonceSize);
  fill_random(nonce);
  SP_TRY(auto context, begin(kEncrypt, key, nonce, associated));
  SP_CHECK(encrypt(std::move(context), plaintext, std::span(sealed).subspan(1 + kAeadNonceSize)));
  return sealed;
}

Result<Bytes> seal(const Secret& key, std::span<const std::byte> plaintext, std::span<const std::byte> associated) {
  return seal(as_bytes(key.reveal()), plaintext, associated);
}

Result<Secret> open(std::span<const std::byte> key, std::span<const std::byte> sealed,
                    std::span<const std::byte> associated) {
  SP_CHECK(check_sizes(key, sealed.size(), associated.size()));
  if (sealed.size() < kSealOverhead || sealed[0] != kFormat) return fail(Errc::invalid, "not sealed data of format 1");
  SP_TRY(auto context, begin(kDecrypt, key, sealed.subspan(1, kAeadNonceSize), associated));
  return decrypt(std::move(context), sealed.subspan(1 + kAeadNonceSize));
}

Result<Secret> open(const Secret& key, std::span<const std::byte> sealed, std::span<const std::byte> associated) {
  return open(as_bytes(key.reveal()), sealed, associated);
}

Result<Bytes> seal_bare(std::span<const std::byte> key, std::span<const std::byte> nonce,
                        std::span<const std::byte> plaintext, std::span<const std::byte> associated) {
  SP_CHECK(check_sizes(key, plaintext.size(), associated.size()));
  if (nonce.size() != kAeadNonceSize) return fail(Errc::internal, "an AES-256-GCM nonce must have 12 bytes");
  Bytes sealed(plaintext.size() + kAeadTagSize);
  SP_TRY(auto context, begin(kEncrypt, key, nonce, associated));
  SP_CHECK(encrypt(std::move(context), plaintext, sealed));
  return sealed;
}

Result<Secret> open_bare(std::span<const std::byte> key, std::span<const std::byte> nonce,
                         std::span<const std::byte> sealed, std::span<const std::byte> associated) {
  SP_CHECK(check_sizes(key, sealed.size(), associated.size()));
  if (nonce.size() != kAeadNonceSize) return fail(Errc::internal, "an AES-256-GCM nonce must have 12 bytes");
  if (sealed.size() < kAeadTagSize) return fail(Errc::invalid, "sealed data is too short");
  SP_TRY(auto context, begin(kDecrypt, key, nonce, associated));
  return decrypt(std::move(context), sealed);
}

Result<void> hkdf_sha256(std::span<const std::byte> input, std::span<const std::byte> salt,
                         std::span<const std::byte> info, std::span<std::byte> out) {
  const KdfContext context(EVP_KDF_CTX_new(hkdf()));
  std::string digest_name = "SHA256";
  std::array<OSSL_PARAM, 5> params;
  std::size_t count = 0;
  params[count++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name.data(), 0);
  const auto add = [&](const char* name, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;  // libcrypto takes an empty parameter for a mistake
    params[count++] = OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()), bytes.size());
  };
  add(OSSL_KDF_PARAM_KEY, input);
  add(OSSL_KDF_PARAM_SALT, salt);
  add(OSSL_KDF_PARAM_INFO, info);
  params[count] = OSSL_PARAM_construct_end();
  if (EVP_KDF_derive(context.get(), writable_octets(out), out.size(), params.data()) != 1) {
    return fail_openssl(Errc::invalid, "deriving a key with HKDF");
  }
  return {};
}

Result<Secret> hkdf_sha256(const Secret& input, std::span<const std::byte> salt, std::span<const std::byte> info,
                           std::size_t length) {
  std::string derived(length, '\0');
  const std::span out(reinterpret_cast<std::byte*>(derived.data()), derived.size());
  const auto made = hkdf_sha256(as_bytes(input.reveal()), salt, info, out);
  Secret secret = Secret::take(derived);
  SP_CHECK(made);
  return secret;
}

}  // namespace sallyport::crypto
