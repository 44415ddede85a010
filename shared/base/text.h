#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

using Bytes = std::vector<std::byte>;

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string hex(std::span<const std::byte> bytes);  // lower case
Result<Bytes> from_hex(std::string_view text);

// RFC 4648 §5 (URL-safe alphabet), without padding; decoding is strict: no white space, no stray bits.
std::string base64url(std::span<const std::byte> bytes);
Result<Bytes> from_base64url(std::string_view text);
// RFC 4648 §4 (standard alphabet), with padding.
std::string base64(std::span<const std::byte> bytes);
Result<Bytes> from_base64(std::string_view text);

bool is_valid_utf8(std::string_view text);
// Number of Unicode code points of valid UTF-8.
std::size_t utf8_length(std::string_view text);

// "2026-01-31T09:30:00.123Z" (RFC 3339, UTC, milliseconds).
std::string rfc3339(WallTime at);
std::optional<WallTime> parse_rfc3339(std::string_view text);

// "250ms", "5s", "10m", "2h", "14d"; one unit, whole numbers.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::milliseconds duration);

// The candidate nearest to `word` by edit distance (all of the case of letters counts one), if likely a misspelling.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace sallyport
