#include "relay/app/archive_settings.h"

#include "shared/recipe/fields.h"

#include <algorithm>
#include <array>

namespace sallyport::app {
namespace {

using yaml::FieldReader;
using yaml::Need;

constexpr std::array<std::string_view, 2> kStyles{"path", "host"};
constexpr std::size_t kMostName = 64;

bool is_name(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= kMostName && text != "none" && std::ranges::all_of(text, fits);
}

S3Archive read_s3(FieldReader& fields) {
  S3Archive archive;
  archive.bucket = fields.text("bucket", Need::required).value_or("");
  archive.region = fields.text("region", Need::required).value_or("");
  archive.credentials_file = fields.text("credentials_file", Need::required).value_or("");
  archive.endpoint = fields.text("endpoint").value_or("");
  archive.prefix = fields.text("prefix").value_or("");
  archive.ca_file = fields.text("ca_file").value_or("");
  archive.style = fields.choice("style", kStyles).value_or("path");
  return archive;
}

void read_one(const std::string& name, const yaml::Node& node, yaml::Report& report, ArchiveSettings& into) {
  FieldReader fields(node, report, "`" + name + "`");
  const auto* s3 = fields.mapping("s3");
  const auto directory = fields.text("directory");
  fields.finish();
  if ((s3 != nullptr) == directory.has_value())
    return report.add(node.at, "bad-archive", "an archive is a `directory`, or `s3`");
  if (directory) {
    if (!directory->starts_with('/'))
      return fields.problem("directory", "bad-directory", "an archive's directory is named from / on");
    into.emplace(name, DirectoryArchive{*directory});
    return;
  }
  FieldReader inside(*s3, report, "`s3`");
  into.emplace(name, read_s3(inside));
  inside.finish();
}

}  // namespace

ArchiveSettings read_archive_settings(const yaml::Node& archives, yaml::Report& report) {
  ArchiveSettings settings;
  for (const auto& member : archives.members) {
    if (!is_name(member.key)) {
      report.add(member.at, "bad-archive",
                 "the name of an archive has lower-case letters, digits and hyphens, and is not `none`");
      continue;
    }
    read_one(member.key, member.value, report, settings);
  }
  return settings;
}

}  // namespace sallyport::app
