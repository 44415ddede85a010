#include "relay/keys/providers/vault_answer.h"

#include "relay/keys/providers/json_answer.h"
#include "relay/keys/providers/limits.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace sallyport::keys {
namespace {

constexpr std::byte kFormat{1};
constexpr std::size_t kHeaderSize = 5;
constexpr std::string_view kPrefix = "vault:v";

std::string first_problem(const outbound::HttpsAnswer& answer) {
  const auto value = parse_answer(answer.body.reveal());
  const auto* list = value ? value->find("errors") : nullptr;
  if (list == nullptr || !list->is(Value::Kind::list) || list->as_list().empty()) return "";
  const Value& first = list->as_list().front();
  return first.is(Value::Kind::string) ? first.as_string() : "";
}

// Vault tells these apart from other bad requests by their words only.
Error bad_request(std::string_view words) {
  if (words.find("encryption key not found") != words.npos) return {Errc::not_found, "there is no such key"};
  if (words.find("disallowed by policy") != words.npos) {
    return {Errc::forbidden, "wrapped by a version of the key that is no longer allowed (min_decryption_version)"};
  }
  return {Errc::invalid, "not wrapped by this key, or changed since"};
}

Error error_of(const outbound::HttpsAnswer& answer) {
  const auto words = first_problem(answer);
  const auto told = [&](Errc code, std::string_view what) -> Error {
    return {code, words.empty() ? std::string(what) : fmt::format("{} ({})", what, quoted(words))};
  };
  switch (answer.status) {
    case 400: return told(bad_request(words).code, bad_request(words).message);
    case 401:
    case 403: return told(Errc::forbidden, "the token is not valid any more, or its policy does not allow this");
    case 404: return told(Errc::not_found, "there is no such key, mount or namespace");
    case 503: return told(Errc::unavailable, "Vault is sealed or in maintenance");
    default: return told(Errc::unavailable, fmt::format("answered with status {}", answer.status));
  }
}

}  // namespace

Result<Bytes> read_transit_encrypt(const outbound::HttpsAnswer& answer) {
  if (answer.status != 200) return std::unexpected(error_of(answer));
  SP_TRY(const Value value, parse_answer(answer.body.reveal()));
  auto packed = pack_ciphertext(text_at(value, std::array<std::string_view, 2>{"data", "ciphertext"}));
  if (packed && packed->size() <= kMaxWrappedSize) return packed;
  return fail(Errc::unavailable, "the answer is not understood: it has no ciphertext");
}

Result<Secret> read_transit_decrypt(const outbound::HttpsAnswer& answer) {
  if (answer.status != 200) return std::unexpected(error_of(answer));
  return take_secret(answer.body, std::array<std::string_view, 2>{"data", "plaintext"});
}

Result<Bytes> pack_ciphertext(std::string_view text) {
  const auto refused = fail(Errc::invalid, "no ciphertext of Vault");
  if (!text.starts_with(kPrefix)) return refused;
  text.remove_prefix(kPrefix.size());
  std::uint32_t version = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), version);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (problem != std::errc() || version == 0 || !text.starts_with(':')) return refused;
  const auto bytes = from_base64(text.substr(1));
  if (!bytes || bytes->empty()) return refused;
  Bytes packed{kFormat};
  for (int shift = 24; shift >= 0; shift -= 8) packed.push_back(static_cast<std::byte>(version >> shift));
  packed.insert(packed.end(), bytes->begin(), bytes->end());
  return packed;
}

Result<std::string> unpack_ciphertext(std::span<const std::byte> wrapped) {
  std::uint32_t version = 0;
  if (wrapped.size() > kHeaderSize && wrapped.front() == kFormat) {
    for (const auto byte : wrapped.subspan(1, kHeaderSize - 1))
      version = version << 8 | std::to_integer<unsigned>(byte);
  }
  // Vault takes version 0 for 1.
  if (version == 0) return fail(Errc::invalid, "not wrapped by Vault, or changed since");
  return fmt::format("{}{}:{}", kPrefix, version, base64(wrapped.subspan(kHeaderSize)));
}

}  // namespace sallyport::keys
