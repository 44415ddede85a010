#include "relay/outbound/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::outbound {
namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

Result<void> check_word(std::string_view what, std::string_view text, std::size_t most) {
  const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
  if (printable && !text.empty() && text.size() <= most) return {};
  return fail(Errc::invalid, fmt::format("{} must be 1 to {} printable ASCII characters without spaces", what, most));
}

Result<void> check_name(std::string_view what, std::string_view text, std::size_t most, std::string_view others) {
  const bool known =
      std::ranges::all_of(text, [&](char c) { return is_letter_or_digit(c) || others.find(c) != others.npos; });
  if (known && !text.empty() && text.size() <= most) return {};
  return fail(Errc::invalid, fmt::format("{} must be 1 to {} letters, digits and {}", what, most, others));
}

}  // namespace sallyport::outbound
