#pragma once

#include "agent/link/identity.h"
#include "agent/policy/config.h"
#include "agent/system_keys/system_key_vault.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"

#include <memory>

namespace sallyport::app {

// The secrets of this machine as a command beside the agent sees them: with system keys once it is enrolled.
class PrivateVault {
 public:
  PrivateVault(const policy::Config& config, const Clock& clock, const Log& log);
  const vault::Vault& vault() const { return *vault_; }

 private:
  agent::FileIdentityStore identities_;
  Result<std::unique_ptr<agent::SystemKeys>> keys_;
  std::unique_ptr<vault::Vault> vault_;
};

}  // namespace sallyport::app
