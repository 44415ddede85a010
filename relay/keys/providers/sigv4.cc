#include "relay/keys/providers/sigv4.h"

#include "shared/base/percent.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace sallyport::keys {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kEnd = "aws4_request";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

// Without spaces at the ends, and one where several stand in a row.
std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::map<std::string, std::string> canonical_headers(const SignedRequest& request) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    const auto [at, fresh] = headers.try_emplace(lower(name), trimmed(value));
    if (!fresh) at->second += "," + trimmed(value);
  }
  return headers;
}

std::string names_of(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

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

std::string canonical_request(const SignedRequest& request) {
  const auto headers = canonical_headers(request);
  std::string lines;
  for (const auto& [name, value] : headers) lines.append(name).append(":").append(value).append("\n");
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request.path), canonical_query(request),
                     lines, names_of(headers), hex(crypto::sha256(request.body)));
}

std::string string_to_sign(std::string_view canonical, std::string_view date, const SigningScope& scope) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, date, scope_text(date, scope), hex(crypto::sha256(canonical)));
}

std::string authorization(const SignedRequest& request, std::string_view date, const SigningScope& scope,
                          const AwsCredentials& credentials) {
  const Secret key = signing_key(credentials.secret_access_key, date, scope);
  const auto text = string_to_sign(canonical_request(request), date, scope);
  return fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm, credentials.access_key_id,
                     scope_text(date, scope), names_of(canonical_headers(request)),
                     hex(crypto::hmac_sha256(key, {as_bytes(text)})));
}

}  // namespace sallyport::keys
