#include "shared/crypto/aead.h"

#include "shared/crypto/openssl.h"
#include "shared/crypto/random.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include <climits>

namespace sallyport::crypto {
namespace {

constexpr auto kFormat = std::byte{1};
constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;
static_assert(kSealOverhead == 1 + kNonceSize + kTagSize);

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using KdfOwner = std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>>;

enum Direction { kDecrypt = 0, kEncrypt = 1 };

Result<CipherContext> begin(Direction direction, const Secret& key, std::span<const std::byte> nonce,
                            std::span<const std::byte> associated) {
  CipherContext context(EVP_CIPHER_CTX_new());
  int length = 0;
  if (EVP_CipherInit_ex2(context.get(), EVP_aes_256_gcm(), octets(as_bytes(key.reveal())), octets(nonce), direction,
                         nullptr) != 1 ||
      (!associated.empty() && EVP_CipherUpdate(context.get(), nullptr, &length, octets(associated),
                                               static_cast<int>(associated.size())) != 1)) {
    return fail_openssl(Errc::internal, "starting AES-256-GCM");
  }
  return context;
}

Result<void> check_sizes(const Secret& key, std::size_t text, std::size_t associated) {
  if (key.size() != kAeadKeySize) return fail(Errc::internal, "an AES-256-GCM key must have 32 bytes");
  if (text > INT_MAX - kSealOverhead || associated > INT_MAX)
    return fail(Errc::too_large, "too large to seal in one piece");
  return {};
}

}  // namespace

Secret new_aead_key() { return random_secret(kAeadKeySize); }

Result<Bytes> seal(const Secret& key, std::span<const std::byte> plaintext, std::span<const std::byte> associated) {
  SP_CHECK(check_sizes(key, plaintext.size(), associated.size()));
  Bytes sealed(kSealOverhead + plaintext.size());
  sealed[0] = kFormat;
  const auto nonce = std::span(sealed).subspan(1, kNonceSize);
  const auto body = std::span(sealed).subspan(1 + kNonceSize, plaintext.size());
  const auto tag = std::span(sealed).last(kTagSize);
  fill_random(nonce);
  SP_TRY(auto context, begin(kEncrypt, key, nonce, associated));
  int length = 0;
  if ((!plaintext.empty() && EVP_CipherUpdate(context.get(), writable_octets(body), &length, octets(plaintext),
                                              static_cast<int>(plaintext.size())) != 1) ||
      EVP_CipherFinal_ex(context.get(), writable_octets(body) + length, &length) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data()) != 1) {
    return fail_openssl(Errc::internal, "sealing with AES-256-GCM");
  }
  return sealed;
}

Result<Secret> open(const Secret& key, std::span<const std::byte> sealed, std::span<const std::byte> associated) {
  SP_CHECK(check_sizes(key, sealed.size(), associated.size()));
  if (sealed.size() < kSealOverhead || sealed[0] != kFormat) return fail(Errc::invalid, "not sealed data of format 1");
  const auto body = sealed.subspan(1 + kNonceSize, sealed.size() - kSealOverhead);
  Bytes tag(sealed.end() - kTagSize, sealed.end());
  SP_TRY(auto context, begin(kDecrypt, key, sealed.subspan(1, kNonceSize), associated));
  std::string plain(body.size(), '\0');
  auto* out = reinterpret_cast<unsigned char*>(plain.data());
  int length = 0;
  const bool authentic = (body.empty() || EVP_CipherUpdate(context.get(), out, &length, octets(body),
                                                           static_cast<int>(body.size())) == 1) &&
                         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1 &&
                         EVP_CipherFinal_ex(context.get(), out + length, &length) == 1;
  if (authentic) return Secret::take(plain);
  wipe(plain.data(), plain.size());
  return fail_openssl(Errc::invalid, "sealed data does not open with this key for this record");
}

Result<Secret> hkdf_sha256(const Secret& input, std::span<const std::byte> salt, std::span<const std::byte> info,
                           std::size_t length) {
  const KdfOwner kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
  std::string digest_name = "SHA256";
  std::vector<OSSL_PARAM> params{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name.data(), 0)};
  auto add = [&](const char* name, std::span<const std::byte> bytes) {
    if (bytes.empty()) return;  // libcrypto takes an empty parameter for a mistake
    params.push_back(OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()), bytes.size()));
  };
  add(OSSL_KDF_PARAM_KEY, as_bytes(input.reveal()));
  add(OSSL_KDF_PARAM_SALT, salt);
  add(OSSL_KDF_PARAM_INFO, info);
  params.push_back(OSSL_PARAM_construct_end());
  std::string derived(length, '\0');
  if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(derived.data()), length, params.data()) != 1) {
    return fail_openssl(Errc::invalid, "deriving a key with HKDF");
  }
  return Secret::take(derived);
}

}  // namespace sallyport::crypto
