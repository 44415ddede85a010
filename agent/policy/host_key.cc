#include "agent/policy/ssh_connection.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPrefix = "SHA256:";
constexpr std::size_t kMostText = 16u << 10;
constexpr std::array kTypes{"ssh-ed25519"sv, "ecdsa-sha2-nistp256"sv, "ecdsa-sha2-nistp384"sv, "ecdsa-sha2-nistp521"sv,
                            "ssh-rsa"sv};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    words.push_back(text.substr(0, text.find_first_of(" \t\r\n")));
    text.remove_prefix(words.back().size());
  }
}

// A key begins with its type: four bytes of length, then the name (RFC 4251 section 5).
bool is_of_type(std::span<const std::byte> key, std::string_view type) {
  const auto beginning = std::string(3, '\0') + static_cast<char>(type.size()) + std::string(type);
  return key.size() > beginning.size() && as_text(key.first(beginning.size())) == beginning;
}

Result<HostKey> parse_fingerprint(std::string_view text) {
  const auto digest = from_base64(std::string(text.substr(kPrefix.size())) + "=");
  if (!digest || digest->size() != 32)
    return fail(Errc::invalid, "`SHA256:` is followed by 43 characters of base64, as `ssh-keygen -lf` shows them");
  return HostKey{std::string(text), ""};
}

}  // namespace

std::string fingerprint_of(std::span<const std::byte> key) {
  crypto::Sha256 hash;
  hash.update(key);
  const auto digest = hash.finish();
  auto text = base64(digest);
  while (text.ends_with('=')) text.pop_back();
  return std::string(kPrefix) + text;
}

Result<HostKey> parse_host_key(std::string_view text) {
  if (text.size() > kMostText) return fail(Errc::invalid, "it is longer than any host key");
  const auto words = words_of(text);
  if (words.empty()) return fail(Errc::invalid, "it is empty");
  if (words.size() == 1 && words[0].starts_with(kPrefix)) return parse_fingerprint(words[0]);
  if (words[0].starts_with('@'))
    return fail(Errc::invalid, "markers such as @cert-authority are not supported: pin the host's own key");
  const auto is_type = [](std::string_view word) { return std::ranges::find(kTypes, word) != kTypes.end(); };
  const std::size_t at = is_type(words[0]) ? 0 : 1;  // host names may come first
  if (at + 1 >= words.size() || !is_type(words[at]))
    return fail(Errc::invalid,
                "it is no line of known_hosts (`ssh-keyscan HOST` gives one) and no `SHA256:` fingerprint");
  const auto type = words[at];
  const auto key = from_base64(words[at + 1]);
  if (!key || !is_of_type(*key, type)) return fail(Errc::invalid, "its base64 is not a key of the type that it names");
  return HostKey{fingerprint_of(*key), std::string(type)};
}

}  // namespace sallyport::policy
