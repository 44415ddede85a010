#pragma once

#include "shared/crypto/hpke.h"

#include <cstddef>

namespace sallyport::sealing {

inline constexpr std::size_t kMostValues = 32;              // of one system key
inline constexpr std::size_t kMostValue = 8u << 10;         // bytes of one value
inline constexpr std::size_t kMostCredentials = 16u << 10;  // bytes of the plaintext, padding included
inline constexpr std::size_t kPadding = 256;                // plaintexts are a whole multiple of it
inline constexpr std::size_t kMostSealed = kMostCredentials + crypto::kHpkeOverhead;
inline constexpr std::size_t kMostStatement = 8u << 10;
inline constexpr std::size_t kMostSystemKeys = 100;  // of one organisation
inline constexpr std::size_t kMostRecipients = 200;  // agents that one system key is sealed to

}  // namespace sallyport::sealing
