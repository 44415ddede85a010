#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"
#include "shared/crypto/ca.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::identity {

struct DeploymentSettings {
  std::string trust_domain;               // of agents' SPIFFE ids; never changes afterwards
  std::vector<std::string> server_names;  // DNS names and IP addresses agents reach the relay by
};

using crypto::Predecessor;

// The deployment's own identity, as files of one directory (0700, keys 0600):
//   trust-domain  root.pem  root.key  server.pem (certificate and key, so that they change together)
// and while one root takes over from another (root_rotation.h)
//   next-root.pem  next-root.key  next-root.cross.pem   before the switch
//   old-root.pem  cross.pem  old-root.key               after it, until the old root is retired
// root.key may be taken offline: then no issuing CA can be made and the server certificate cannot be renewed here.
struct Deployment {
  std::string trust_domain;
  crypto::Certificate root;
  std::optional<crypto::PrivateKey> root_key;
  crypto::ServerCertificate server;
  std::optional<Predecessor> predecessor;      // agents of this root are welcome too
  std::optional<crypto::Certificate> standby;  // the root that is prepared
};

// Blocking; for start-up and `init` only. conflict: the directory holds a deployment already.
Result<Deployment> create_deployment(const std::filesystem::path& directory, const DeploymentSettings& settings,
                                     const Clock& clock);
// Reads a directory at any step of a rotation, also one that was cut short: as before the step or as after it.
// invalid: a file is missing, damaged, readable by others, or key and certificate do not belong together.
Result<Deployment> load_deployment(const std::filesystem::path& directory);

// True in the last third of the server certificate's life, and before it begins: a clock that was ahead made it.
bool needs_server_renewal(const Deployment& deployment, const Clock& clock);
// A new key and certificate for the same names (or `server_names` when given), written before they are returned.
// unavailable: the root key is offline. conflict: another root has taken over meanwhile.
Result<crypto::ServerCertificate> renew_server_certificate(const std::filesystem::path& directory,
                                                           const Deployment& deployment,
                                                           std::vector<std::string> server_names, const Clock& clock);

}  // namespace sallyport::identity
