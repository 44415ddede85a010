#pragma once

#include "relay/keys/fingerprints.h"
#include "relay/keys/master_key.h"

namespace sallyport::keys {

// Under keys that are derived from one master key in memory: HKDF-SHA256(master key, organisation). Never suspends.
class LocalFingerprints final : public Fingerprints {
 public:
  explicit LocalFingerprints(const MasterKey& key) : key_(key.key.duplicate()) {}

  boost::asio::awaitable<Result<Fingerprint>> of(OrgId org, std::string purpose, std::string text) override;

 private:
  Secret key_;
};

}  // namespace sallyport::keys
