#pragma once

#include "agent/vault/vault.h"
#include "shared/base/redactor.h"

#include <map>
#include <mutex>

namespace sallyport::vault {

// Tells the redactor of each secret that it gives, as long as the reference leads to that secret: nothing that a system
// answers or a library writes carries it into logs and reports. What it is given outlives it; thread-safe.
class RedactingVault final : public Vault {
 public:
  RedactingVault(const Vault& inner, Redactor& redactor) : inner_(inner), redactor_(redactor) {}

  // Errc::exhausted: the redactor knows as many secrets as it can; what would go unnoticed is not given.
  Result<Secret> resolve(const SecretRef& ref) const override;
  std::uint64_t version_of(const SecretRef& ref) const override { return inner_.version_of(ref); }

 private:
  const Vault& inner_;
  Redactor& redactor_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Secret> known_;  // by reference
};

}  // namespace sallyport::vault
