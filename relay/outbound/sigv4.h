#pragma once

#include "relay/outbound/credential_source.h"
#include "shared/base/clock.h"
#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"), as the Authorization header. No IO.
namespace sallyport::outbound {

struct AwsCredentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;  // empty: the credentials are no temporary ones
  AwsCredentials duplicate() const;
};
using AwsCredentialSource = CredentialSource<AwsCredentials>;
// Errc::invalid: they do not fit into a header.
Result<void> check(const AwsCredentials& credentials);

struct SigningScope {
  std::string region;   // "eu-central-1"
  std::string service;  // "kms"
};

// What is signed. Names and values of headers and query are as the server reads them, nothing encoded; `path` has no
// "." and ".." in it. The same header twice counts as one with both values.
struct SignedRequest {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::string_view method;
  std::string path = "/";
  Fields query;
  Fields headers;  // all that are signed, but for what signed_headers() adds
  std::string_view body;
};

std::string amz_date(WallTime at);  // "20150830T123600Z", for the header x-amz-date

// The steps in their order; `date` is amz_date().
Secret canonical_request(const SignedRequest& request);  // with the session token
std::string string_to_sign(std::string_view canonical, std::string_view date, const SigningScope& scope);
// The value of the header Authorization.
std::string authorization(const SignedRequest& request, std::string_view date, const SigningScope& scope,
                          const AwsCredentials& credentials);

// All headers of the request as lines, signed: those of `request`, x-amz-date, x-amz-security-token when there is one,
// and authorization.
std::vector<Secret> signed_headers(SignedRequest request, WallTime at, const SigningScope& scope,
                                   const AwsCredentials& credentials);

}  // namespace sallyport::outbound
