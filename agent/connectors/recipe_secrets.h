#pragma once

#include "agent/connectors/step_error.h"
#include "agent/policy/policy.h"
#include "agent/vault/vault.h"
#include "shared/base/log.h"
#include "shared/base/secret.h"

namespace sallyport::connectors {

// The local secrets that steps take as `secrets.<name>`: the local policy says who gets which, the vault gives it at
// the moment of use. Reads a small file of this machine when asked. What it is given outlives it; thread-safe.
class RecipeSecrets {
 public:
  RecipeSecrets(const policy::Policy& policy, const vault::Vault& vault, const Log& log)
      : policy_(policy), vault_(vault), log_(log) {}

  // Class "policy" with the rule; "not_found" or "permission" when it is allowed but cannot be read. Why is in the
  // agent's log only, because it names a file or a variable.
  StepResult<Secret> take(const policy::SecretUse& use) const;

 private:
  const policy::Policy& policy_;
  const vault::Vault& vault_;
  const Log& log_;
};

}  // namespace sallyport::connectors
