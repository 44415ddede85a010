#pragma once

#include "relay/app/key_settings.h"

#include <string>
#include <variant>
#include <vector>

namespace sallyport::app {

// Where organisations may keep keys of their own: `organisation_keys` in relay.yaml (docs/operations/master-key.md).
// Over the API they name one of these, or AWS's own KMS endpoint of a region, and nothing else.
struct OrganisationKeyHost {
  std::string url;      // "https://host[:port]" of AWS KMS or Vault, as organisations have to give it
  std::string ca_file;  // empty: the system's authorities
};
struct OwnKeyFileSettings {
  std::string path, passphrase_file;
};
struct NamedOrganisationKey {
  std::string name;
  std::string organisation;  // the only one that may name it
  std::variant<Pkcs11KeySettings, OwnKeyFileSettings> kept;
};
struct OrganisationKeySettings {
  std::vector<OrganisationKeyHost> hosts;
  std::vector<NamedOrganisationKey> named;
};

OrganisationKeySettings read_organisation_keys(yaml::FieldReader& fields);

}  // namespace sallyport::app
