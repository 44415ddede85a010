#pragma once

#include <chrono>
#include <string>
#include <variant>

namespace sallyport::yaml {
class FieldReader;
}

namespace sallyport::app {

// Where the master key is kept: `keys` in relay.yaml (docs/operations/master-key.md). Secrets stand in files of mode
// 0600, never in relay.yaml.
struct FileKeySettings {
  std::string passphrase_file;  // "": the key's file has none
};
struct Pkcs11KeySettings {
  std::string module, token, key, pin_file;
};
struct AwsKmsKeySettings {
  std::string region, key, endpoint, ca_file;
  std::string credentials_file;  // as the AWS CLI writes it; its first profile
};
struct VaultKeySettings {
  std::string address, mount, key, name_space, ca_file, token_file;
};

// `keys.backups`: copies of keys.db (docs/keys.md).
struct KeyBackupSettings {
  std::string directory;  // "": keys/backups
  std::chrono::milliseconds keep{std::chrono::days(7)};
  std::chrono::milliseconds every{std::chrono::minutes(5)};
};

using KeySettings = std::variant<FileKeySettings, Pkcs11KeySettings, AwsKmsKeySettings, VaultKeySettings>;

// Of the mapping `keys`: one of file, pkcs11, aws_kms, vault; none is a file without a passphrase.
KeySettings read_key_settings(yaml::FieldReader& fields);
KeyBackupSettings read_key_backups(yaml::FieldReader& fields);
Pkcs11KeySettings read_pkcs11_settings(yaml::FieldReader& fields);

}  // namespace sallyport::app
