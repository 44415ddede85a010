#include "relay/app/organisation_key_settings.h"

#include "relay/outbound/https_call.h"
#include "shared/base/ids.h"
#include "shared/recipe/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace sallyport::app {
namespace {

using yaml::FieldReader;
using yaml::Need;

constexpr std::size_t kMostHosts = 64;
constexpr std::size_t kMostNamed = 256;

bool is_name(std::string_view text) {
  const auto known = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, known);
}

std::string needed(FieldReader& fields, std::string_view name) {
  return fields.text(name, Need::required).value_or("");
}

OwnKeyFileSettings read_file(FieldReader& fields) {
  OwnKeyFileSettings file{needed(fields, "path"), fields.text("passphrase_file").value_or("")};
  if (!file.path.empty() && !std::filesystem::path(file.path).is_absolute())
    fields.problem("path", "bad-keys", "give the whole path of the key's file");
  return file;
}

NamedOrganisationKey read_named(FieldReader& fields, yaml::Report& report) {
  NamedOrganisationKey key{needed(fields, "name"), needed(fields, "organisation"), OwnKeyFileSettings{}};
  if (!key.name.empty() && !is_name(key.name))
    fields.problem("name", "bad-keys", "1 to 64 lower-case letters, digits and hyphens");
  if (!key.organisation.empty() && !is_ulid(key.organisation, "org_"))
    fields.problem("organisation", "bad-keys", "the organisation's id: org_...");
  const auto* token = fields.mapping("pkcs11");
  const auto* file = fields.mapping("file");
  if ((token == nullptr) == (file == nullptr)) {
    fields.problem("name", "bad-keys", "give one of pkcs11 and file");
  } else if (token != nullptr) {
    FieldReader inside(*token, report, "`pkcs11`");
    key.kept = read_pkcs11_settings(inside);
    inside.finish();
  } else {
    FieldReader inside(*file, report, "`file`");
    key.kept = read_file(inside);
    inside.finish();
  }
  return key;
}

template <class Read>
void read_each(FieldReader& fields, std::string_view list, std::size_t most, Read read) {
  const auto* listed = fields.sequence(list);
  if (listed == nullptr) return;
  if (listed->items.size() > most) return fields.problem(list, "bad-keys", fmt::format("at most {}", most));
  for (const auto& item : listed->items) {
    FieldReader inside(item, fields.report(), fmt::format("an entry of `{}`", list));
    read(inside);
    inside.finish();
  }
}

}  // namespace

OrganisationKeySettings read_organisation_keys(FieldReader& fields) {
  OrganisationKeySettings settings;
  read_each(fields, "hosts", kMostHosts, [&](FieldReader& inside) {
    auto url = needed(inside, "url");
    if (auto usable = outbound::check_https_origin("the address of a host", url); !url.empty() && !usable)
      inside.problem("url", "bad-keys", usable.error().message);
    settings.hosts.push_back({std::move(url), inside.text("ca_file").value_or("")});
  });
  read_each(fields, "named", kMostNamed, [&](FieldReader& inside) {
    auto key = read_named(inside, fields.report());
    if (std::ranges::find(settings.named, key.name, &NamedOrganisationKey::name) != settings.named.end())
      inside.problem("name", "bad-keys", "the name is given twice");
    settings.named.push_back(std::move(key));
  });
  return settings;
}

}  // namespace sallyport::app
