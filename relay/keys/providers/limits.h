#pragma once

#include "relay/keys/provider.h"

#include <chrono>
#include <string_view>

namespace sallyport::keys {

inline constexpr std::size_t kMaxPurpose = 200;
inline constexpr std::size_t kMaxWrappedSize =
    6144;  // bytes that a provider gives or takes; the most that AWS KMS takes

// What callers of a Provider owe it. Errc::invalid.
Result<void> check_wrap(std::string_view purpose, const Secret& key);
Result<void> check_unwrap(std::string_view purpose, const Bytes& wrapped);

// 1 ms to the 10 s of Provider's contract. Errc::invalid.
Result<void> check_deadline(std::chrono::milliseconds deadline);

}  // namespace sallyport::keys
