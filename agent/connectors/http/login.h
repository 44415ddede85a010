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

// Asks for a token by client credentials (RFC 6749 section 4.4.2).
struct TokenRequest {
  std::unique_ptr<RequestBody> body;
  Request request;
};
TokenRequest make_token_request(const policy::HttpOauth2& oauth2, const Secret& client_secret);

}  // namespace sallyport::connectors::http
