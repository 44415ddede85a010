#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <variant>

namespace sallyport::yaml {
struct Node;
class Report;
}  // namespace sallyport::yaml

namespace sallyport::app {

// Where organisations may have records of their jobs archived: `archives` in relay.yaml (docs/operations/archive.md).
struct DirectoryArchive {
  std::filesystem::path directory;
};
struct S3Archive {
  std::string bucket, region, endpoint, prefix, ca_file;
  std::string style;             // "path", "host"
  std::string credentials_file;  // as the AWS CLI writes it; its first profile
};
using ArchiveSettings = std::map<std::string, std::variant<DirectoryArchive, S3Archive>>;  // by name

ArchiveSettings read_archive_settings(const yaml::Node& archives, yaml::Report& report);

}  // namespace sallyport::app
