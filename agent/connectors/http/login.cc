#include "agent/connectors/http/login.h"

#include "shared/base/percent.h"
#include "shared/base/text.h"

namespace sallyport::connectors::http {
namespace {

Secret joined(std::string_view first, std::string_view second, std::string_view third = {}) {
  std::string text;
  text.reserve(first.size() + second.size() + third.size());
  text.append(first).append(second).append(third);
  return Secret::take(text);
}

void add_field(std::string& form, std::string_view name, std::string_view value) {
  if (!value.empty()) form += std::string("&") + std::string(name) + "=" + percent_encode(value);
}

}  // namespace

std::string path_of(const policy::HttpUrl& url) {
  std::string path;
  for (const auto& segment : url.segments) path += "/" + segment;
  return path.empty() ? "/" : path;
}

std::string scope_of(const policy::HttpOauth2& oauth2) {
  std::string scope;
  for (const auto& one : oauth2.scopes) scope += (scope.empty() ? "" : " ") + one;
  return scope;
}

Secret header_line(std::string_view name, std::string_view value) {
  return value.empty() ? joined(name, ";") : joined(name, ": ", value);
}

Secret basic_authorization(std::string_view user, const Secret& password) {
  const auto pair = joined(user, ":", password.reveal());
  const auto encoded = Secret::take(base64(as_bytes(pair.reveal())));
  return joined("Authorization: Basic ", encoded.reveal());
}

Secret bearer_authorization(const Secret& token) { return joined("Authorization: Bearer ", token.reveal()); }

Secret client_credentials_form(const policy::HttpOauth2& oauth2) {
  std::string form = "grant_type=client_credentials";
  add_field(form, "scope", scope_of(oauth2));
  add_field(form, "audience", oauth2.audience);
  return Secret::take(form);
}

Secret code_form(const policy::HttpAuthorization& authorization, const Secret& code, const Secret& verifier) {
  std::string form = "grant_type=authorization_code";
  form.reserve(form.size() + 3 * (code.size() + verifier.size() + authorization.redirect_url.size()) + 64);
  add_field(form, "code", code.reveal());
  add_field(form, "redirect_uri", authorization.redirect_url);
  add_field(form, "code_verifier", verifier.reveal());
  return Secret::take(form);
}

Secret refresh_form(const Secret& refresh_token) {
  std::string form = "grant_type=refresh_token";
  form.reserve(form.size() + 3 * refresh_token.size() + 64);
  add_field(form, "refresh_token", refresh_token.reveal());
  return Secret::take(form);
}

TokenRequest make_token_request(const policy::HttpOauth2& oauth2, const Secret& client_secret, const Secret& form) {
  std::string text(form.reveal());
  TokenRequest asking{std::make_unique<RequestBody>("application/x-www-form-urlencoded", nullptr), {}};
  asking.request.method = "POST";
  asking.request.url = oauth2.token_url.origin() + path_of(oauth2.token_url);
  asking.request.log_in = false;
  asking.request.headers.push_back(header_line("Content-Type", asking.body->media_type()));
  asking.request.headers.push_back(header_line("Accept", "application/json"));
  if (oauth2.secret_in_body || client_secret.empty()) {
    add_field(text, "client_id", oauth2.client_id);
    add_field(text, "client_secret", client_secret.reveal());
  } else {  // encoded as RFC 6749 section 2.3.1 wants it
    const auto secret = Secret::take(percent_encode(client_secret.reveal()));
    asking.request.headers.push_back(basic_authorization(percent_encode(oauth2.client_id), secret));
  }
  asking.body->add(std::move(text));
  asking.request.body = asking.body.get();
  return asking;
}

}  // namespace sallyport::connectors::http
