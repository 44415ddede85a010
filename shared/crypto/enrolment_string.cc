#include "shared/crypto/enrolment_string.h"

#include "shared/base/text.h"
#include "shared/crypto/new_id.h"

#include <algorithm>
#include <optional>

namespace sallyport::crypto {
namespace {

constexpr std::string_view kPrefix = "spe1.";
constexpr std::size_t kChecksumSize = 4;
constexpr std::size_t kMaxHost = 253;
constexpr std::size_t kMaxApiUrl = 255;

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost) return false;
  return std::ranges::all_of(host, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == ':';
  });
}

bool is_api_url(std::string_view url) {
  if (url.empty()) return true;
  const bool web = url.starts_with("https://") || url.starts_with("http://");
  return web && url.size() <= kMaxApiUrl && std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<void> check(const EnrolmentString& parts) {
  if (!is_host(parts.relay_host) || parts.relay_port == 0) {
    return fail(Errc::invalid, "the enrolment string's relay address is malformed");
  }
  if (!is_id<EnrolmentId>(parts.token.value))
    return fail(Errc::invalid, "the enrolment string's token id is malformed");
  if (parts.secret.size() != kEnrolmentSecretSize)
    return fail(Errc::invalid, "the enrolment string's secret is malformed");
  if (!is_api_url(parts.api_url)) return fail(Errc::invalid, "the enrolment string's API address is malformed");
  return {};
}

void put_number(std::string& out, std::uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((number >> shift) & 0xff);
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size(), 1);
  out += text;
}

// Takes fixed parts from the front; remembers when there was not enough.
class Cutter {
 public:
  explicit Cutter(std::string_view rest) : rest_(rest) {}
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      short_ = true;
      size = rest_.size();
    }
    const auto head = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return head;
  }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t out = 0;
    for (char c : take(bytes)) out = (out << 8) | static_cast<unsigned char>(c);
    return out;
  }
  std::string text() { return std::string(take(number(1))); }
  bool ended_exactly() const { return !short_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool short_ = false;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Result<EnrolmentString> parse_payload(std::string_view payload) {
  Cutter cutter(payload);
  EnrolmentString parts;
  std::ranges::copy(as_bytes(cutter.take(parts.root_pin.size())), parts.root_pin.begin());
  std::string secret(cutter.take(kEnrolmentSecretSize));
  parts.secret = Secret::take(secret);
  parts.expires = from_unix_ms(static_cast<std::int64_t>(cutter.number(8)));
  parts.relay_port = static_cast<std::uint16_t>(cutter.number(2));
  parts.token = EnrolmentId(cutter.text());
  parts.relay_host = cutter.text();
  parts.api_url = cutter.text();
  if (!cutter.ended_exactly()) return fail(Errc::invalid, "the enrolment string's length is wrong");
  SP_CHECK(check(parts));
  return parts;
}

}  // namespace

Result<Secret> format_enrolment_string(const EnrolmentString& parts) {
  SP_CHECK(check(parts));
  std::string payload(as_text(parts.root_pin));
  payload.reserve(kMaxEnrolmentString);
  payload += parts.secret.reveal();
  put_number(payload, static_cast<std::uint64_t>(unix_ms(parts.expires)), 8);
  put_number(payload, parts.relay_port, 2);
  put_text(payload, parts.token.value);
  put_text(payload, parts.relay_host);
  put_text(payload, parts.api_url);
  payload += as_text(sha256(payload)).substr(0, kChecksumSize);
  auto text = std::string(kPrefix) + base64url(as_bytes(payload));
  wipe(payload.data(), payload.size());
  return Secret::take(text);
}

Result<EnrolmentString> parse_enrolment_string(std::string_view text) {
  if (text.size() > kMaxEnrolmentString) return fail(Errc::too_large, "the enrolment string is too long");
  text = trimmed(text);
  if (!text.starts_with(kPrefix)) return fail(Errc::invalid, "not an enrolment string: it begins with \"spe1.\"");
  auto payload = from_base64url(text.substr(kPrefix.size()));
  if (!payload || payload->size() < kChecksumSize)
    return fail(Errc::invalid, "the enrolment string is damaged: copy it again");
  const auto all = as_text(*payload);
  const auto body = all.substr(0, all.size() - kChecksumSize);
  const bool intact = as_text(sha256(body)).substr(0, kChecksumSize) == all.substr(body.size());
  auto parts = intact ? parse_payload(body) : fail(Errc::invalid, "the enrolment string is damaged: copy it again");
  wipe(payload->data(), payload->size());
  return parts;
}

Digest enrolment_proof(const Secret& secret, std::span<const std::byte> exporter, std::span<const std::byte> csr_der) {
  return hmac_sha256(secret, {exporter, csr_der});
}

}  // namespace sallyport::crypto
