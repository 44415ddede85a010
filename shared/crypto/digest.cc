#include "shared/crypto/digest.h"

#include "shared/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>

#include <new>

namespace sallyport::crypto {
namespace {

using MacOwner = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>>;

// These calls fail only when memory is out or libcrypto is broken: nothing a caller could handle.
void must(int ok) {
  if (ok != 1) throw std::bad_alloc();
}

}  // namespace

Digest sha256(std::span<const std::byte> bytes) {
  Digest digest;
  must(EVP_Digest(bytes.data(), bytes.size(), writable_octets(digest), nullptr, EVP_sha256(), nullptr));
  return digest;
}

Digest sha256(std::string_view text) { return sha256(as_bytes(text)); }

std::array<std::byte, 20> sha1(std::span<const std::byte> bytes) {
  std::array<std::byte, 20> digest;
  must(EVP_Digest(bytes.data(), bytes.size(), writable_octets(digest), nullptr, EVP_sha1(), nullptr));
  return digest;
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { must(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr)); }

void Sha256::update(std::span<const std::byte> bytes) {
  must(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Digest Sha256::finish() {
  Digest digest;
  must(EVP_DigestFinal_ex(context_.get(), writable_octets(digest), nullptr));
  must(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
  return digest;
}

Digest hmac_sha256(const Secret& key, std::initializer_list<std::span<const std::byte>> parts) {
  const MacOwner mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  const MacContext context(EVP_MAC_CTX_new(mac.get()));
  std::string digest_name = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name.data(), 0),
                               OSSL_PARAM_construct_end()};
  const auto bytes = as_bytes(key.reveal());
  must(EVP_MAC_init(context.get(), octets(bytes), bytes.size(), params));
  for (auto part : parts) must(EVP_MAC_update(context.get(), octets(part), part.size()));
  Digest digest;
  std::size_t written = 0;
  must(EVP_MAC_final(context.get(), writable_octets(digest), &written, digest.size()));
  return digest;
}

bool constant_time_equal(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace sallyport::crypto
