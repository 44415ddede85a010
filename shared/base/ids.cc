#include "shared/base/ids.h"

#include <algorithm>

namespace sallyport {
namespace {
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kUlidLength = 26;
}  // namespace

std::string make_ulid(std::string_view prefix, std::int64_t unix_ms, const IdEntropy& entropy) {
  std::array<std::uint8_t, 16> bytes{};
  for (int i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(unix_ms >> (8 * (5 - i)));
  std::ranges::transform(entropy, bytes.begin() + 6, [](std::byte b) { return std::to_integer<std::uint8_t>(b); });

  // 128 bits in 26 digits of 5 bits: two zero bits lead.
  std::string text(prefix);
  unsigned buffer = 0;
  int bits = 2;
  for (auto byte : bytes) {
    buffer = (buffer << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += kAlphabet[(buffer >> (bits - 5)) & 31];
  }
  return text;
}

bool is_ulid(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return text.size() == kUlidLength && text.front() <= '7' &&
         std::ranges::all_of(text, [](char c) { return kAlphabet.find(c) != std::string_view::npos; });
}

}  // namespace sallyport
