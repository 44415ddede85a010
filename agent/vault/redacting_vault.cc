#include "agent/vault/redacting_vault.h"

namespace sallyport::vault {

Result<Secret> RedactingVault::resolve(const SecretRef& ref) const {
  SP_TRY(auto secret, inner_.resolve(ref));
  const auto owner = "vault: " + to_string(ref);
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(owner);
  if (known != known_.end() && known->second.reveal() == secret.reveal()) return secret;
  redactor_.forget(owner);
  known_.erase(owner);
  SP_CHECK(redactor_.add(owner, secret));
  known_.emplace(owner, secret.duplicate());
  return secret;
}

}  // namespace sallyport::vault
