#include "relay/keys/providers/framed_key.h"

#include "relay/keys/providers/limits.h"

#include <string>

namespace sallyport::keys {
namespace {

constexpr char kFormat = 1;
static_assert(kMaxPurpose <= 255);

}  // namespace

Secret frame_key(std::string_view purpose, const Secret& key) {
  std::string frame;
  frame.reserve(2 + purpose.size() + key.size());
  frame.append({kFormat, static_cast<char>(purpose.size())}).append(purpose).append(key.reveal());
  return Secret::take(frame);
}

Result<Secret> unframe_key(std::string_view purpose, const Secret& frame) {
  std::string_view rest = frame.reveal();
  const std::string expected = std::string({kFormat, static_cast<char>(purpose.size())}).append(purpose);
  if (!rest.starts_with(expected)) return fail(Errc::invalid, "not wrapped for this purpose");
  rest.remove_prefix(expected.size());
  if (rest.empty() || rest.size() > kMaxWrapped) return fail(Errc::invalid, "what was wrapped is no key");
  std::string key(rest);
  return Secret::take(key);
}

}  // namespace sallyport::keys
