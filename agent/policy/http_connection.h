#pragma once

#include "agent/policy/http_url.h"
#include "agent/vault/vault.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sallyport::policy {

struct HttpBasic {
  std::string user;
  vault::SecretRef password;
};

struct HttpBearer {
  vault::SecretRef token;
};

// What the grant of an authorization code takes besides (RFC 6749 section 4.1).
struct HttpAuthorization {
  HttpUrl url;               // where a person logs in
  std::string redirect_url;  // where the browser is sent back to, as it is registered there
  std::string issuer;        // RFC 9207; empty: not asked for
};

// Client credentials, RFC 6749 section 4.4, or an authorization code.
struct HttpOauth2 {
  HttpUrl token_url;
  std::string client_id;
  vault::SecretRef client_secret;  // with an authorization code it may be none: a public client
  std::vector<std::string> scopes;
  std::string audience;
  bool secret_in_body = false;                     // else in the Authorization header
  std::optional<HttpAuthorization> authorization;  // none: client credentials
};

struct HttpNtlm {
  std::string user;  // may be DOMAIN\user
  vault::SecretRef password;
};

struct HttpNegotiate {};  // with the Kerberos ticket of the agent's own user

struct HttpHeader {
  std::string name;
  std::string text;        // when it is no secret
  vault::SecretRef value;  // when it is one
};

struct HttpProxy {
  HttpUrl url;
  std::string user;
  vault::SecretRef password;
};

// The server of connections of kind "http".
struct HttpConnection {
  HttpUrl url;  // that every path is below
  std::variant<std::monostate, HttpBasic, HttpBearer, HttpOauth2, HttpNtlm, HttpNegotiate> auth;
  std::vector<HttpHeader> headers;      // sent with every request
  std::string ca_file;                  // empty: the system's store
  std::string client_certificate_file;  // PEM; empty: none is shown
  vault::SecretRef client_key;
  std::optional<HttpProxy> proxy;  // the environment's is not used
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::uint32_t concurrency = 4;  // requests at the same time
  bool idempotency_key = false;   // the server takes Idempotency-Key and does nothing twice
};

std::vector<vault::SecretRef> secrets_of(const HttpConnection& http);
HttpConnection read_http(yaml::FieldReader& fields, std::string_view directory);

}  // namespace sallyport::policy
