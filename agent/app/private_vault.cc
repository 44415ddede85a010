#include "agent/app/private_vault.h"

#include "agent/app/link_settings.h"

namespace sallyport::app {

PrivateVault::PrivateVault(const policy::Config& config, const Clock& clock, const Log& log)
    : identities_(identity_file(config).string()),
      keys_(agent::SystemKeys::open(config.agent.state_dir, identities_, clock, log,
                                    agent::SystemKeys::WhenAbsent::leave)) {
  if (keys_) {
    vault_ = std::make_unique<agent::SystemKeyVault>(**keys_);
  } else {
    vault_ = std::make_unique<vault::LocalVault>();
  }
}

}  // namespace sallyport::app
