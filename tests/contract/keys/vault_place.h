#pragma once

#include "relay/keys/providers/vault_transit.h"
#include "tests/contract/keys/key_server.h"
#include "tests/contract/keys/place.h"

namespace sallyport::test {

// tests/support/vault_server.py, and a token that it takes.
class VaultPlace final : public Place {
 public:
  VaultPlace() : server("vault_server.py") {}
  keys::VaultTransitConfig config(const std::string& key = "main") const;

  std::unique_ptr<keys::Provider> provider(std::string key, std::chrono::milliseconds deadline) override;
  void revoke() override { server.control(R"({"mode":"revoked"})"); }
  void restore() override { server.heal(); }
  void slow() override { server.control(R"({"mode":"delay","seconds":600})"); }
  void stop() override { server.stop(); }
  void garble() override { server.control(R"({"mode":"garbage"})"); }
  void heal() override;
  std::vector<std::string> credentials() const override { return {"hvs.token-of-the-test"}; }

  KeyServer server;
};

}  // namespace sallyport::test
