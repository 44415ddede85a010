#pragma once

#include "relay/archive/place.h"
#include "relay/outbound/sigv4.h"
#include "shared/base/clock.h"

#include <chrono>

namespace sallyport::archive {

enum class BucketStyle {
  path,  // https://host/bucket/object
  host,  // https://bucket.host/object
};

struct S3Config {
  std::string endpoint;  // "https://s3.eu-central-1.amazonaws.com"; "": that of AWS in the region
  std::string region;
  std::string bucket;
  std::string prefix;  // before every name: "" or "sallyport/"
  BucketStyle style = BucketStyle::path;
  std::string ca_file;  // "": the system's authorities
  outbound::AwsCredentialSource credentials;
  std::chrono::milliseconds deadline{60'000};
};

// A bucket of Amazon S3, or of a server that speaks its API (PutObject, GetObject, DeleteObject; Signature Version 4
// with the payload's digest). Asks nobody yet. Errc::invalid: the configuration, in words.
Result<std::unique_ptr<Place>> make_s3_place(S3Config config, const Clock& clock);

// The word in <Code> of what S3 answers with an error; "": there is none.
std::string s3_error_code(std::string_view answer);

}  // namespace sallyport::archive
