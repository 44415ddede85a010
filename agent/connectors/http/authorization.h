#pragma once

#include "agent/connectors/step_error.h"
#include "agent/policy/http_connection.h"
#include "shared/base/secret.h"

#include <string>
#include <string_view>

// The part of the authorization code grant that a browser has a hand in (RFC 6749 section 4.1, with PKCE by S256, RFC
// 7636, and the issuer, RFC 9207). No IO.
namespace sallyport::connectors::http {

// One that has begun: the code that comes back is worth something together with its verifier only.
struct PendingAuthorization {
  std::string url;  // to be opened in a browser
  std::string state;
  Secret verifier;
};
PendingAuthorization begin_authorization(const policy::HttpOauth2& oauth2,
                                         const policy::HttpAuthorization& authorization);

// What the browser was sent back with; "" for what is not there.
struct AuthorizationAnswer {
  std::string code, state, issuer, error;
};

// Of the whole address as it stands in the browser. Class "invalid" for what is none, and for parameters that are there
// twice.
StepResult<AuthorizationAnswer> parse_authorization_answer(std::string_view address);

// The code. Class "invalid" when the answer is not to this authorization: another state, another issuer or none where
// one has to be; "permission" when the server says why there is no code.
StepResult<Secret> code_of(const AuthorizationAnswer& answer, const PendingAuthorization& pending,
                           const policy::HttpAuthorization& authorization);

}  // namespace sallyport::connectors::http
