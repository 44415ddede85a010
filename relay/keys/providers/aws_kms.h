#pragma once

#include "relay/keys/provider.h"
#include "relay/outbound/sigv4.h"

#include <chrono>
#include <memory>
#include <string>

namespace sallyport::keys {

class BlockingProvider;

struct AwsKmsConfig {
  std::string region;  // "eu-central-1"
  std::string key;     // id or ARN of a symmetric key, or "alias/..."
  outbound::AwsCredentialSource credentials;
  std::string endpoint;  // "https://host[:port]"; empty: the region's own
  std::string ca_file;   // PEM; empty: the system's certificate authorities
  std::chrono::milliseconds deadline{10'000};
};

// A key in AWS KMS. The purpose is the encryption context {"sallyport-purpose": ...}, so that it stands in CloudTrail
// and in policies. The key is named on Decrypt too: what another key wrapped is refused though AWS would find that key.
// `clock` outlives the provider; AWS refuses signatures of clocks that are 5 min off. Errc::invalid: what is wrong with
// `config`; AWS is not asked yet. Credentials that cannot be had later: Errc::unavailable.
Result<std::unique_ptr<Provider>> make_aws_kms(AwsKmsConfig config, const Clock& clock);
// The same, for whoever has threads for it.
Result<std::shared_ptr<BlockingProvider>> make_blocking_aws_kms(AwsKmsConfig config, const Clock& clock);

}  // namespace sallyport::keys
