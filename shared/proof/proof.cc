#include "shared/proof/proof.h"

#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <vector>

namespace sallyport::proof {
namespace {

using Proof = std::expected<Proven, Doubt>;
using Parts = std::initializer_list<std::span<const std::byte>>;
constexpr std::size_t kMostSignatures = 8;  // in one header
constexpr std::size_t kLongestId = 256;
constexpr std::string_view kSecretPrefix = "whsec_";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// The pieces of `text` that are not empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (const auto piece = trimmed(text.substr(0, end)); !piece.empty()) pieces.push_back(piece);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

// The only field of that name: of two, nobody could say which one counts.
const std::string* only(const http::Headers& headers, std::string_view name) {
  return headers.count(name) == 1 ? headers.find(name) : nullptr;
}

// Compares all with all, whatever fits.
bool any_fits(std::span<const Bytes> signatures, std::span<const Secret> keys, Parts content) {
  bool fits = false;
  for (const auto& key : keys) {
    const auto expected = crypto::hmac_sha256(key, content);
    for (const auto& signature : signatures) fits = crypto::constant_time_equal(signature, expected) || fits;
  }
  return fits;
}

std::optional<std::chrono::seconds> parse_time(std::string_view text) {
  std::int64_t seconds = 0;
  const bool is_number = !text.empty() && text.size() <= 12 && text.find_first_not_of("0123456789") == text.npos;
  if (!is_number || std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc()) return {};
  return std::chrono::seconds(seconds);
}

bool is_fresh(std::chrono::seconds sent, std::chrono::milliseconds tolerance, WallTime now) {
  const auto age = std::chrono::milliseconds(unix_ms(now)) - sent;
  return age <= tolerance && age >= -tolerance;
}

Proof check_bearer(std::span<const Secret> secrets, const http::Headers& headers) {
  const auto* field = only(headers, "Authorization");
  if (field == nullptr) return std::unexpected(Doubt::missing);
  const auto end = std::min(field->find(' '), field->size());
  if (!http::equal_names(std::string_view(*field).substr(0, end), "Bearer")) return std::unexpected(Doubt::malformed);
  const auto shown = crypto::sha256(trimmed(std::string_view(*field).substr(end)));
  bool fits = false;
  for (const auto& secret : secrets) fits = crypto::constant_time_equal(crypto::sha256(secret.reveal()), shown) || fits;
  if (!fits) return std::unexpected(Doubt::wrong);
  return Proven{};
}

Proof check_signature(const std::string& name, std::span<const Secret> secrets, const http::Headers& headers,
                      std::string_view body) {
  const auto* field = only(headers, name);
  if (field == nullptr) return std::unexpected(Doubt::missing);
  std::string_view text = trimmed(*field);
  if (text.starts_with("sha256=")) text.remove_prefix(7);
  const auto signature = from_hex(text);
  if (!signature) return std::unexpected(Doubt::malformed);
  if (!any_fits({&*signature, 1}, secrets, {as_bytes(body)})) return std::unexpected(Doubt::wrong);
  return Proven{std::string(body)};
}

Proof check_timed(std::span<const Bytes> signatures, std::span<const Secret> keys, Parts content,
                  std::chrono::seconds sent, const Terms& terms, WallTime now) {
  if (!any_fits(signatures, keys, content)) return std::unexpected(Doubt::wrong);
  if (!is_fresh(sent, terms.tolerance, now)) return std::unexpected(Doubt::stale);
  Proven proven;
  for (const auto part : content) proven.identity += as_text(part);
  return proven;
}

// "t=1700000000,v1=HEX,v1=HEX"; what else stands there does not count.
Proof check_timestamped(const Terms& terms, std::span<const Secret> secrets, const http::Headers& headers,
                        std::string_view body, WallTime now) {
  const auto* field = only(headers, terms.signature_header);
  if (field == nullptr) return std::unexpected(Doubt::missing);
  std::string_view time;
  std::vector<Bytes> signatures;
  for (const auto item : split(*field, ',')) {
    if (item.starts_with("t=") && !time.empty()) return std::unexpected(Doubt::malformed);
    if (item.starts_with("t=")) time = item.substr(2);
    if (!item.starts_with("v1=")) continue;
    auto signature = from_hex(item.substr(3));
    if (!signature || signatures.size() == kMostSignatures) return std::unexpected(Doubt::malformed);
    signatures.push_back(*std::move(signature));
  }
  const auto sent = parse_time(time);
  if (!sent || signatures.empty()) return std::unexpected(Doubt::malformed);
  return check_timed(signatures, secrets, {as_bytes(time), as_bytes("."), as_bytes(body)}, *sent, terms, now);
}

// Shown in base64 behind a prefix; any other secret is its own bytes.
Secret webhook_key(const Secret& secret) {
  const auto text = secret.reveal();
  if (!text.starts_with(kSecretPrefix)) return secret.duplicate();
  auto bytes = from_base64(text.substr(kSecretPrefix.size()));
  if (!bytes) return secret.duplicate();
  std::string key(as_text(*bytes));
  wipe(bytes->data(), bytes->size());
  return Secret::take(key);
}

// https://www.standardwebhooks.com, version 1.0: "id.time.body", and "v1,BASE64 v1,BASE64" in the header.
Proof check_standard(const Terms& terms, std::span<const Secret> secrets, const http::Headers& headers,
                     std::string_view body, WallTime now) {
  const auto* id = only(headers, "webhook-id");
  const auto* time = only(headers, "webhook-timestamp");
  const auto* field = only(headers, "webhook-signature");
  if (id == nullptr || time == nullptr || field == nullptr) return std::unexpected(Doubt::missing);
  const auto sent = parse_time(*time);
  // A dot in the id could be the one behind it.
  if (!sent || id->empty() || id->size() > kLongestId || id->contains('.')) return std::unexpected(Doubt::malformed);
  std::vector<Bytes> signatures;
  for (const auto item : split(*field, ' ')) {
    if (!item.starts_with("v1,")) continue;
    auto signature = from_base64(item.substr(3));
    if (!signature || signatures.size() == kMostSignatures) return std::unexpected(Doubt::malformed);
    signatures.push_back(*std::move(signature));
  }
  if (signatures.empty()) return std::unexpected(Doubt::malformed);
  std::vector<Secret> keys;
  for (const auto& secret : secrets) keys.push_back(webhook_key(secret));
  return check_timed(signatures, keys, {as_bytes(*id), as_bytes("."), as_bytes(*time), as_bytes("."), as_bytes(body)},
                     *sent, terms, now);
}

}  // namespace

std::expected<Proven, Doubt> check(const Terms& terms, std::span<const Secret> secrets, const http::Headers& headers,
                                   std::string_view body, WallTime now) {
  switch (terms.scheme) {
    case Scheme::bearer: return check_bearer(secrets, headers);
    case Scheme::signature: return check_signature(terms.signature_header, secrets, headers, body);
    case Scheme::timestamped_signature: return check_timestamped(terms, secrets, headers, body, now);
    case Scheme::standard_webhooks: return check_standard(terms, secrets, headers, body, now);
  }
  return std::unexpected(Doubt::wrong);
}

std::string_view explain(Doubt doubt) {
  switch (doubt) {
    case Doubt::missing: return "The request does not prove who has sent it, or does so twice.";
    case Doubt::malformed: return "The proof of who has sent this cannot be read.";
    case Doubt::wrong: return "The proof of who has sent this is wrong.";
    case Doubt::stale: return "The request is signed for another time: it is old, or one of the clocks is wrong.";
  }
  return "";
}

}  // namespace sallyport::proof
