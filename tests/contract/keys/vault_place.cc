#include "tests/contract/keys/vault_place.h"

#include "tests/support/pki.h"

namespace sallyport::test {

keys::VaultTransitConfig VaultPlace::config(const std::string& key) const {
  keys::VaultTransitConfig config;
  config.address = server.url();
  config.key = key;
  config.token = outbound::always(Secret::take("hvs.token-of-the-test"));
  config.ca_file = server.ca_file();
  return config;
}

std::unique_ptr<keys::Provider> VaultPlace::provider(std::string key, std::chrono::milliseconds deadline) {
  auto made = config(key);
  made.deadline = deadline;
  return must(keys::make_vault_transit(std::move(made)));
}

void VaultPlace::heal() {
  server.heal();
  if (!server.runs()) server.start();
}

std::unique_ptr<Place> vault_place() { return std::make_unique<VaultPlace>(); }

}  // namespace sallyport::test
