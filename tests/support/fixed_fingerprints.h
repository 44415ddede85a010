#pragma once

#include "relay/keys/fingerprints.h"
#include "shared/base/text.h"
#include "shared/crypto/digest.h"

#include <string>

namespace sallyport::test {

// Under a key that everybody knows.
class FixedFingerprints final : public keys::Fingerprints {
 public:
  boost::asio::awaitable<Result<keys::Fingerprint>> of(OrgId org, std::string purpose, std::string text) override {
    const Secret key = Secret::take(std::string(32, 'k'));
    co_return crypto::hmac_sha256(
        key, {as_bytes(org.value), as_bytes("\n"), as_bytes(purpose), as_bytes("\n"), as_bytes(text)});
  }
};

}  // namespace sallyport::test
