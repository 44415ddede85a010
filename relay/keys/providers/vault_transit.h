#pragma once

#include "relay/keys/provider.h"
#include "relay/outbound/credential_source.h"

#include <chrono>
#include <memory>
#include <string>

namespace sallyport::keys {

class BlockingProvider;

struct VaultTransitConfig {
  std::string address;            // "https://host[:port]"
  std::string mount = "transit";  // where the engine is mounted
  std::string key;                // of a kind that authenticates: aes256-gcm96 (Vault's default), chacha20-poly1305
  outbound::CredentialSource<Secret> token;
  std::string name_space;  // empty: none (Vault Enterprise has them)
  std::string ca_file;     // PEM; empty: the system's certificate authorities
  std::chrono::milliseconds deadline{10'000};
};

// A key in HashiCorp Vault's Transit engine (framed_key.h: the purpose stands in what is encrypted, and is checked).
// Not in Transit's `associated_data`: versions before 1.13 take and ignore it, and after an upgrade would unwrap
// nothing that they wrapped. The token is used as it is, and neither renewed nor looked up. Errc::invalid: what is
// wrong with `config`; Vault is not asked yet. A token that cannot be had later: Errc::unavailable.
Result<std::unique_ptr<Provider>> make_vault_transit(VaultTransitConfig config);
// The same, for whoever has threads for it.
Result<std::shared_ptr<BlockingProvider>> make_blocking_vault_transit(VaultTransitConfig config);

}  // namespace sallyport::keys
