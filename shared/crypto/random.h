#pragma once

#include "shared/base/ids.h"
#include "shared/base/secret.h"
#include "shared/base/text.h"

#include <cstddef>
#include <span>

namespace sallyport::crypto {

// Unpredictable bytes from libcrypto's generator. Aborts the process when the system cannot give any: there is no safe
// way to go on.
void fill_random(std::span<std::byte> out);

Bytes random_bytes(std::size_t count);
Secret random_secret(std::size_t count);
IdEntropy new_entropy();

}  // namespace sallyport::crypto
