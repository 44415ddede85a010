#include "relay/keys/providers/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::keys {
namespace {

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

Result<void> check_purpose(std::string_view purpose) {
  const bool printable = std::ranges::all_of(purpose, [](char c) { return c >= ' ' && c <= '~'; });
  if (printable && !purpose.empty() && purpose.size() <= kMaxPurpose) return {};
  return fail(Errc::invalid, fmt::format("a purpose is 1 to {} printable ASCII characters", kMaxPurpose));
}

}  // namespace

Result<void> check_wrap(std::string_view purpose, const Secret& key) {
  SP_CHECK(check_purpose(purpose));
  if (!key.empty() && key.size() <= kMaxWrapped) return {};
  return fail(Errc::invalid, fmt::format("a key to wrap has 1 to {} bytes, this one {}", kMaxWrapped, key.size()));
}

Result<void> check_unwrap(std::string_view purpose, const Bytes& wrapped) {
  SP_CHECK(check_purpose(purpose));
  if (!wrapped.empty() && wrapped.size() <= kMaxWrappedSize) return {};
  return fail(Errc::invalid,
              fmt::format("a wrapped key has 1 to {} bytes, this one {}", kMaxWrappedSize, wrapped.size()));
}

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

Result<void> check_deadline(std::chrono::milliseconds deadline) {
  using namespace std::chrono_literals;
  if (deadline >= 1ms && deadline <= 10s) return {};
  return fail(Errc::invalid, "the deadline of a provider's calls must be 1 ms to 10 s");
}

}  // namespace sallyport::keys
