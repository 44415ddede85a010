#pragma once

#include "relay/keys/fingerprints.h"
#include "relay/keys/hierarchy.h"

namespace sallyport::keys {

// Under a key derived from the first version of the organisation's key, which stays when that is rotated:
// HKDF-SHA256(that key, "sallyport/2/fingerprint"), docs/envelope.md.
class TenantFingerprints final : public Fingerprints {
 public:
  explicit TenantFingerprints(Hierarchy& keys) : keys_(keys) {}

  boost::asio::awaitable<Result<Fingerprint>> of(OrgId org, std::string purpose, std::string text) override;

 private:
  Hierarchy& keys_;
};

}  // namespace sallyport::keys
