#include "relay/keys/providers/limits.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::keys {
namespace {

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

Result<void> check_deadline(std::chrono::milliseconds deadline) {
  using namespace std::chrono_literals;
  if (deadline >= 1ms && deadline <= 10s) return {};
  return fail(Errc::invalid, "the deadline of a provider's calls must be 1 ms to 10 s");
}

}  // namespace sallyport::keys
