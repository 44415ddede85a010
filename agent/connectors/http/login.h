#pragma once

#include "agent/connectors/http/transfer.h"

#include <memory>
#include <string_view>

namespace sallyport::connectors::http {

inline constexpr std::size_t kMostTokenAnswer = 64u << 10;

// A header line. libcurl's way to send one with no value is its own.
Secret header_line(std::string_view name, std::string_view value);
Secret basic_authorization(std::string_view user, const Secret& password);  // RFC 7617
Secret bearer_authorization(const Secret& token);                           // RFC 6750

std::string path_of(const policy::HttpUrl& url);         // "/" for none
std::string scope_of(const policy::HttpOauth2& oauth2);  // RFC 6749 section 3.3; "" for none

// The forms of what is asked of a token endpoint.
Secret client_credentials_form(const policy::HttpOauth2& oauth2);  // RFC 6749 section 4.4.2
Secret code_form(const policy::HttpAuthorization& authorization, const Secret& code,
                 const Secret& verifier);          // and RFC 7636 4.5
Secret refresh_form(const Secret& refresh_token);  // section 6

// A form with the client's proof of who it is; without a secret just its name (section 2.3.1, 3.2.1).
struct TokenRequest {
  std::unique_ptr<RequestBody> body;
  Request request;
};
TokenRequest make_token_request(const policy::HttpOauth2& oauth2, const Secret& client_secret, const Secret& form);

}  // namespace sallyport::connectors::http
