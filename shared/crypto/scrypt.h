#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstddef>
#include <span>

namespace sallyport::crypto {

// 32 bytes from a passphrase: scrypt (RFC 7914) with N=2^17, r=8, p=1: 128 MiB and some tenths of a second.
// Errc::exhausted: not enough memory.
Result<Secret> scrypt(const Secret& passphrase, std::span<const std::byte> salt);

}  // namespace sallyport::crypto
