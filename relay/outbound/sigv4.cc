#include "relay/outbound/sigv4.h"

#include "relay/outbound/https_call.h"
#include "relay/outbound/words.h"
#include "shared/base/percent.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace sallyport::outbound {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kEnd = "aws4_request";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// Without spaces at the ends, and one where several stand in a row. No copy of it is left behind.
std::string trimmed(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

// By their names. One of them may be a session token.
class CanonicalHeaders {
 public:
  explicit CanonicalHeaders(const SignedRequest& request) {
    for (const auto& [name, value] : request.headers) {
      const auto [at, fresh] = headers_.try_emplace(lower(name), trimmed(value));
      if (!fresh) at->second += "," + trimmed(value);
    }
  }
  CanonicalHeaders(const CanonicalHeaders&) = delete;
  CanonicalHeaders& operator=(const CanonicalHeaders&) = delete;
  ~CanonicalHeaders() {
    for (auto& [name, value] : headers_) wipe(value.data(), value.size());
  }

  std::string names() const {
    std::string names;
    for (const auto& [name, value] : headers_) names += (names.empty() ? "" : ";") + name;
    return names;
  }
  Secret lines() const {
    std::size_t size = 0;
    for (const auto& [name, value] : headers_) size += name.size() + value.size() + 2;
    std::string lines;
    lines.reserve(size);
    for (const auto& [name, value] : headers_) lines.append(name).append(":").append(value).append("\n");
    return Secret::take(lines);
  }

 private:
  std::map<std::string, std::string> headers_;
};

std::string canonical_path(std::string_view path) {
  std::string out;
  while (true) {
    const auto slash = path.find('/');
    out += percent_encode(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

std::string canonical_query(const SignedRequest& request) {
  SignedRequest::Fields encoded;
  for (const auto& [name, value] : request.query) encoded.emplace_back(percent_encode(name), percent_encode(value));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string scope_text(std::string_view date, const SigningScope& scope) {
  return fmt::format("{}/{}/{}/{}", date.substr(0, 8), scope.region, scope.service, kEnd);
}

Secret next_key(const Secret& key, std::string_view part) {
  auto digest = crypto::hmac_sha256(key, {as_bytes(part)});
  std::string bytes(as_text(digest));
  wipe(digest.data(), digest.size());
  return Secret::take(bytes);
}

Secret signing_key(const Secret& secret, std::string_view date, const SigningScope& scope) {
  std::string first;
  first.reserve(4 + secret.size());
  first.append("AWS4").append(secret.reveal());
  const Secret of_date = next_key(Secret::take(first), date.substr(0, 8));
  const Secret of_region = next_key(of_date, scope.region);
  return next_key(next_key(of_region, scope.service), kEnd);
}

}  // namespace

std::string amz_date(WallTime at) {
  std::string text = rfc3339(at);  // "2015-08-30T12:36:00.000Z"
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text.substr(0, 15) + "Z";
}

AwsCredentials AwsCredentials::duplicate() const {
  return {access_key_id, secret_access_key.duplicate(), session_token.duplicate()};
}

Result<void> check(const AwsCredentials& credentials) {
  SP_CHECK(check_name("the access key id of AWS", credentials.access_key_id, 128, ""));
  SP_CHECK(check_word("the secret access key of AWS", credentials.secret_access_key.reveal(), 256));
  if (credentials.session_token.empty()) return {};
  return check_word("the session token of AWS", credentials.session_token.reveal(), 8192);
}

Secret canonical_request(const SignedRequest& request) {
  const CanonicalHeaders headers(request);
  const auto before =
      fmt::format("{}\n{}\n{}\n", request.method, canonical_path(request.path), canonical_query(request));
  const auto lines = headers.lines();
  const auto after = fmt::format("\n{}\n{}", headers.names(), hex(crypto::sha256(request.body)));
  std::string text;
  text.reserve(before.size() + lines.size() + after.size());
  text.append(before).append(lines.reveal()).append(after);
  return Secret::take(text);
}

std::string string_to_sign(std::string_view canonical, std::string_view date, const SigningScope& scope) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date, scope_text(date, scope), hex(crypto::sha256(canonical)));
}

std::string authorization(const SignedRequest& request, std::string_view date, const SigningScope& scope,
                          const AwsCredentials& credentials) {
  const Secret key = signing_key(credentials.secret_access_key, date, scope);
  const auto text = string_to_sign(canonical_request(request).reveal(), date, scope);
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key_id,
                     scope_text(date, scope), CanonicalHeaders(request).names(),
                     hex(crypto::hmac_sha256(key, {as_bytes(text)})));
}

std::vector<Secret> signed_headers(SignedRequest request, WallTime at, const SigningScope& scope,
                                   const AwsCredentials& credentials) {
  const auto date = amz_date(at);
  request.headers.emplace_back("x-amz-date", date);
  if (!credentials.session_token.empty())
    request.headers.emplace_back("x-amz-security-token", credentials.session_token.reveal());
  std::vector<Secret> lines;
  lines.push_back(Secret::take("authorization: " + authorization(request, date, scope, credentials)));
  for (auto& [name, value] : request.headers) {
    lines.push_back(header_line(name, value));
    wipe(value.data(), value.size());
  }
  return lines;
}

}  // namespace sallyport::outbound
