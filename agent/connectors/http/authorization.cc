#include "agent/connectors/http/authorization.h"

#include "agent/connectors/http/login.h"
#include "shared/base/percent.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace sallyport::connectors::http {
namespace {

constexpr std::size_t kRandom = 32;  // bytes: 43 characters, the least that RFC 7636 section 4.1 takes
constexpr std::size_t kMostAddress = 16u << 10;
constexpr std::size_t kMostCode = 4u << 10;

// RFC 6749 section 4.1.2.1 and OpenID Connect Core section 3.1.2.6. Any other text is not passed on.
constexpr std::array<std::string_view, 10> kErrors{
    "access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope",
    "server_error",  "login_required",  "consent_required",    "temporarily_unavailable",   "interaction_required"};

Secret random_text() { return Secret::take(base64url(crypto::random_bytes(kRandom))); }

std::string challenge_of(const Secret& verifier) { return base64url(crypto::sha256(verifier.reveal())); }

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// application/x-www-form-urlencoded.
std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
    decoded += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return decoded;
}

std::string* member_of(AuthorizationAnswer& answer, std::string_view name) {
  if (name == "code") return &answer.code;
  if (name == "state") return &answer.state;
  if (name == "iss") return &answer.issuer;
  return name == "error" ? &answer.error : nullptr;
}

bool is_code(std::string_view text) {  // RFC 6749 appendix A.11
  return !text.empty() && text.size() <= kMostCode &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

bool same(std::string_view a, std::string_view b) { return crypto::constant_time_equal(as_bytes(a), as_bytes(b)); }

}  // namespace

PendingAuthorization begin_authorization(const policy::HttpOauth2& oauth2,
                                         const policy::HttpAuthorization& authorization) {
  PendingAuthorization pending;
  pending.verifier = random_text();
  pending.state = random_text().reveal();
  pending.url = fmt::format(
      "{}{}?response_type=code&client_id={}&redirect_uri={}&state={}&code_challenge={}&code_challenge_method=S256",
      authorization.url.origin(), path_of(authorization.url), percent_encode(oauth2.client_id),
      percent_encode(authorization.redirect_url), pending.state, challenge_of(pending.verifier));
  if (const auto scope = scope_of(oauth2); !scope.empty()) pending.url += "&scope=" + percent_encode(scope);
  if (!oauth2.audience.empty()) pending.url += "&audience=" + percent_encode(oauth2.audience);
  return pending;
}

StepResult<AuthorizationAnswer> parse_authorization_answer(std::string_view address) {
  while (!address.empty() && address.back() <= ' ') address.remove_suffix(1);  // of a line that was pasted
  const auto question = address.find('?');
  if (address.size() > kMostAddress || question == std::string_view::npos)
    return step_fail("invalid", "this is not the address that the browser was sent back to");
  auto query = address.substr(question + 1);
  query = query.substr(0, query.find('#'));
  AuthorizationAnswer answer;
  while (!query.empty()) {
    const auto field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(field.size() + 1, query.size()));
    const auto equals = std::min(field.find('='), field.size());
    auto* const member = member_of(answer, field.substr(0, equals));
    if (member == nullptr) continue;
    auto value = decode(field.substr(std::min(equals + 1, field.size())));
    if (!value || value->empty() || !member->empty())
      return step_fail("invalid", "a parameter of the address is there twice, or has no value");
    *member = *std::move(value);
  }
  return answer;
}

StepResult<Secret> code_of(const AuthorizationAnswer& answer, const PendingAuthorization& pending,
                           const policy::HttpAuthorization& authorization) {
  if (!same(answer.state, pending.state))
    return step_fail("invalid", "the address belongs to another authorization (its `state` is another one)");
  const auto& issuer = authorization.issuer;
  if (!issuer.empty() && answer.issuer != issuer)
    return step_fail("invalid", "the address is not of the `issuer` that connections.yaml names");
  if (!answer.error.empty()) {
    const bool known = std::ranges::find(kErrors, answer.error) != kErrors.end();
    return step_fail("permission", fmt::format("the authorization server gave no authorization ({})",
                                               known ? answer.error : "for a reason of its own"));
  }
  if (!is_code(answer.code)) return step_fail("invalid", "the address has no code");
  return Secret::take(std::string(answer.code));
}

}  // namespace sallyport::connectors::http
