#pragma once

#include "shared/base/clock.h"
#include "shared/base/secret.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"), as the Authorization header. No IO.
namespace sallyport::keys {

struct AwsCredentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;  // empty: the credentials are no temporary ones
};

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
  Fields headers;  // all that are signed: host and x-amz-date among them
  std::string_view body;
};

std::string amz_date(WallTime at);  // "20150830T123600Z", for the header x-amz-date

// The steps in their order; `date` is amz_date().
std::string canonical_request(const SignedRequest& request);
std::string string_to_sign(std::string_view canonical, std::string_view date, const SigningScope& scope);
// The value of the header Authorization.
std::string authorization(const SignedRequest& request, std::string_view date, const SigningScope& scope,
                          const AwsCredentials& credentials);

}  // namespace sallyport::keys
