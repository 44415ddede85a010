#include "relay/app/key_settings.h"

#include "shared/recipe/fields.h"

#include <array>
#include <string_view>

namespace sallyport::app {
namespace {

using yaml::FieldReader;
using yaml::Need;

std::string needed(FieldReader& fields, std::string_view name) {
  return fields.text(name, Need::required).value_or("");
}
std::string optional(FieldReader& fields, std::string_view name) { return fields.text(name).value_or(""); }

KeySettings read_file(FieldReader& fields) { return FileKeySettings{optional(fields, "passphrase_file")}; }

KeySettings read_pkcs11(FieldReader& fields) { return read_pkcs11_settings(fields); }

KeySettings read_aws_kms(FieldReader& fields) {
  AwsKmsKeySettings settings;
  settings.region = needed(fields, "region");
  settings.key = needed(fields, "key");
  settings.credentials_file = needed(fields, "credentials_file");
  settings.endpoint = optional(fields, "endpoint");
  settings.ca_file = optional(fields, "ca_file");
  return settings;
}

KeySettings read_vault(FieldReader& fields) {
  VaultKeySettings settings;
  settings.address = needed(fields, "address");
  settings.key = needed(fields, "key");
  settings.token_file = needed(fields, "token_file");
  settings.mount = fields.text("mount").value_or("transit");
  settings.name_space = optional(fields, "namespace");
  settings.ca_file = optional(fields, "ca_file");
  return settings;
}

constexpr yaml::DurationRange kKeeps{std::chrono::hours(1), std::chrono::days(30)};
constexpr yaml::DurationRange kPauses{std::chrono::seconds(10), std::chrono::hours(24)};

struct Kind {
  std::string_view name;
  KeySettings (*read)(FieldReader&);
};
constexpr std::array kKinds{Kind{"file", read_file}, Kind{"pkcs11", read_pkcs11}, Kind{"aws_kms", read_aws_kms},
                            Kind{"vault", read_vault}};

}  // namespace

Pkcs11KeySettings read_pkcs11_settings(FieldReader& fields) {
  Pkcs11KeySettings settings;
  settings.module = needed(fields, "module");
  if (!settings.module.empty() && !settings.module.contains('/'))
    fields.problem("module", "bad-module", "the PKCS#11 module is looked for nowhere: name it from / on");
  settings.token = needed(fields, "token");
  settings.key = needed(fields, "key");
  settings.pin_file = needed(fields, "pin_file");
  return settings;
}

KeySettings read_key_settings(FieldReader& fields) {
  KeySettings settings;
  bool found = false;
  for (const auto& kind : kKinds) {
    const auto* node = fields.mapping(kind.name);
    if (node == nullptr) continue;
    if (std::exchange(found, true)) {
      fields.problem(kind.name, "bad-keys", "the master key is kept in one place: give one of them");
      continue;
    }
    FieldReader inside(*node, fields.report(), "`" + std::string(kind.name) + "`");
    settings = kind.read(inside);
    inside.finish();
  }
  return settings;
}

KeyBackupSettings read_key_backups(FieldReader& fields) {
  KeyBackupSettings settings;
  const auto* node = fields.mapping("backups");
  if (node == nullptr) return settings;
  FieldReader inside(*node, fields.report(), "`backups`");
  settings.directory = optional(inside, "directory");
  if (!settings.directory.empty() && !settings.directory.starts_with('/'))
    inside.problem("directory", "bad-directory", "a directory is named from / on");
  settings.keep = inside.duration("keep", kKeeps).value_or(settings.keep);
  settings.every = inside.duration("every", kPauses).value_or(settings.every);
  inside.finish();
  return settings;
}

}  // namespace sallyport::app
