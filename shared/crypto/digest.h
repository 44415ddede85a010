#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

struct evp_md_ctx_st;

namespace sallyport::crypto {

using Digest = std::array<std::byte, 32>;

Digest sha256(std::span<const std::byte> bytes);  // FIPS 180-4
Digest sha256(std::string_view text);

// For the handshake of RFC 6455, which names it; nothing may rest on it.
std::array<std::byte, 20> sha1(std::span<const std::byte> bytes);

// SHA-256 of a flow of bytes. finish() gives the digest and starts afresh.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// RFC 2104 over the concatenation of `parts`. The caller makes sure that the concatenation is unambiguous.
Digest hmac_sha256(const Secret& key, std::initializer_list<std::span<const std::byte>> parts);

// Compares in a time that depends on the lengths only.
bool constant_time_equal(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace sallyport::crypto
