#include "relay/app/file_paths.h"

namespace sallyport::app {
namespace {

class Folder {
 public:
  explicit Folder(const std::filesystem::path& folder) : folder_(folder) {}

  void settle(std::string& path) const {
    if (!path.empty()) path = (folder_ / path).string();  // an absolute one replaces the folder
  }
  void settle(std::filesystem::path& path) const {
    if (!path.empty()) path = folder_ / path;
  }

  void operator()(FileKeySettings& key) const { settle(key.passphrase_file); }
  void operator()(Pkcs11KeySettings& key) const {
    settle(key.module);
    settle(key.pin_file);
  }
  void operator()(AwsKmsKeySettings& key) const {
    settle(key.credentials_file);
    settle(key.ca_file);
  }
  void operator()(VaultKeySettings& key) const {
    settle(key.token_file);
    settle(key.ca_file);
  }
  void operator()(DirectoryArchive&) const {}  // is absolute
  void operator()(S3Archive& archive) const {
    settle(archive.credentials_file);
    settle(archive.ca_file);
  }
  void operator()(OwnKeyFileSettings& key) const { settle(key.passphrase_file); }  // the key's own path is absolute

 private:
  const std::filesystem::path& folder_;
};

}  // namespace

void count_paths_from(const std::filesystem::path& folder, Settings& settings) {
  const Folder counted(folder);
  std::visit(counted, settings.keys);
  for (auto& [name, archive] : settings.archives) std::visit(counted, archive);
  for (auto& host : settings.organisation_keys.hosts) counted.settle(host.ca_file);
  for (auto& key : settings.organisation_keys.named) std::visit(counted, key.kept);
}

}  // namespace sallyport::app
