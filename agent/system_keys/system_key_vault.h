#pragma once

#include "agent/system_keys/system_keys.h"
#include "agent/vault/vault.h"

namespace sallyport::agent {

// Secrets of this machine, and system keys. `keys` outlives it.
class SystemKeyVault final : public vault::Vault {
 public:
  explicit SystemKeyVault(const SystemKeys& keys) : keys_(keys) {}
  Result<Secret> resolve(const vault::SecretRef& ref) const override;
  std::uint64_t version_of(const vault::SecretRef& ref) const override;

 private:
  const SystemKeys& keys_;
  vault::LocalVault local_;
};

}  // namespace sallyport::agent
