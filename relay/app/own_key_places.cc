#include "relay/app/own_key_places.h"

#include "relay/app/key_file.h"
#include "relay/app/key_provider.h"
#include "relay/keys/discreet_provider.h"
#include "relay/keys/master_key.h"
#include "relay/keys/providers/aws_kms.h"
#include "relay/keys/providers/pkcs11.h"
#include "relay/keys/providers/vault_transit.h"
#include "relay/outbound/https_call.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::app {
namespace {

using Made = Result<std::unique_ptr<keys::Provider>>;

constexpr keys::Trouble::Events kEvents{"organisation_key.failed", "organisation_key.works"};

std::string text_in(const ValueMap& place, std::string_view name, std::string_view otherwise = "") {
  const auto found = place.find(Value(name));
  return found != place.end() && found->second.is(Value::Kind::string) ? found->second.as_string()
                                                                       : std::string(otherwise);
}

Result<Secret> read_key(const OwnKeyFileSettings& settings) {
  std::optional<Secret> passphrase;
  if (!settings.passphrase_file.empty()) {
    SP_TRY(passphrase, read_secret_file(settings.passphrase_file));
  }
  return keys::read_key_file(settings.path, passphrase);
}

struct Kept {
  Result<std::shared_ptr<keys::BlockingProvider>> operator()(const Pkcs11KeySettings& settings) const {
    return keys::make_blocking_pkcs11({settings.module, settings.token, settings.key, secret_in(settings.pin_file)});
  }
  Result<std::shared_ptr<keys::BlockingProvider>> operator()(const OwnKeyFileSettings& settings) const {
    return std::make_shared<KeyFile>(settings.path, "the key", [settings] { return read_key(settings); });
  }
};

bool is_region(std::string_view text) {
  const auto known = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 40 && std::ranges::all_of(text, known);
}

}  // namespace

OwnKeyPlaces::Declared::Declared(const Log& log, const OrgId& org)
    : trouble(std::make_shared<keys::Trouble>(log, kEvents, org)) {}

Made OwnKeyPlaces::provider(const OrgId& org, const keys::OwnKeyOrder& order) {
  if (order.kind == "aws_kms") return aws_kms(order);
  if (order.kind == "vault") return vault(order);
  if (order.kind == "pkcs11" || order.kind == "file") return named(org, order);
  return fail(Errc::invalid, "no such kind of key");
}

// The operator's word is about these bytes: no other spelling of a host is one of them.
Result<std::string> OwnKeyPlaces::ca_file_of(const std::string& origin) {
  const auto found = std::ranges::find(settings_.hosts, origin, &OrganisationKeyHost::url);
  if (found != settings_.hosts.end()) {
    auto& trouble = authorities_.try_emplace(origin, log_, kEvents).first->second;
    const auto usable = outbound::check_ca_file(found->ca_file);
    usable ? trouble.tell_works() : trouble.tell(usable.error());
    if (usable) return found->ca_file;
    return fail(Errc::unavailable, "the relay's operator has to mend the file with the authorities of this address");
  }
  return fail(Errc::forbidden,
              "this relay may not ask there for keys: its operator has to add the address to organisation_keys.hosts "
              "in relay.yaml, written in the same way");
}

Made OwnKeyPlaces::aws_kms(const keys::OwnKeyOrder& order) {
  keys::AwsKmsConfig config;
  config.region = text_in(order.place, "region");
  if (!is_region(config.region))
    return fail(Errc::invalid, "region: must be the name of a region, such as eu-central-1");
  config.key = text_in(order.place, "key");
  config.endpoint = text_in(order.place, "endpoint");
  if (!config.endpoint.empty()) {
    SP_TRY(config.ca_file, ca_file_of(config.endpoint));
  }
  auto credentials = parse_aws_credentials(order.credentials.reveal());
  if (!credentials) return in_context("credentials", std::move(credentials).error());
  config.credentials = outbound::always(*std::move(credentials));
  auto name = fmt::format("AWS KMS key {} of {}", config.key, config.region);
  SP_TRY(auto blocking, keys::make_blocking_aws_kms(std::move(config), clock_));
  return keys::on_shared_threads(std::move(blocking), std::move(name), {answering_, silent_});
}

Made OwnKeyPlaces::vault(const keys::OwnKeyOrder& order) {
  keys::VaultTransitConfig config;
  config.address = text_in(order.place, "address");
  SP_TRY(config.ca_file, ca_file_of(config.address));
  config.mount = text_in(order.place, "mount", "transit");
  config.key = text_in(order.place, "key");
  config.name_space = text_in(order.place, "namespace");
  auto token = order.credentials.reveal();
  while (token.ends_with('\n') || token.ends_with('\r')) token.remove_suffix(1);
  config.token = outbound::always(Secret::take(std::string(token)));
  SP_TRY(auto blocking, keys::make_blocking_vault_transit(std::move(config)));
  auto name = blocking->describe();
  return keys::on_shared_threads(std::move(blocking), std::move(name), {answering_, silent_});
}

Made OwnKeyPlaces::named(const OrgId& org, const keys::OwnKeyOrder& order) {
  const auto name = text_in(order.place, "name");
  const auto found = std::ranges::find_if(settings_.named, [&](const NamedOrganisationKey& one) {
    const bool is_token = std::holds_alternative<Pkcs11KeySettings>(one.kept);
    return one.name == name && one.organisation == org.value && is_token == (order.kind == "pkcs11");
  });
  if (found == settings_.named.end()) {
    return fail(Errc::forbidden,
                "this relay knows no such key of this organisation: its operator has to name it under "
                "organisation_keys.named in relay.yaml");
  }
  const auto shown = fmt::format("{} key {}", order.kind == "pkcs11" ? "PKCS#11" : "file", name);
  auto& declared = declared_.try_emplace(name, log_, org).first->second;
  if (!declared.key) {
    auto made = std::visit(Kept{}, found->kept);
    if (!made) {
      declared.trouble->tell(made.error());
      return std::unexpected(keys::without_reason(made.error(), shown));
    }
    declared.key = *std::move(made);
  }
  std::shared_ptr<keys::Provider> real = keys::on_shared_threads(declared.key, shown, {declared.line, declared.line});
  return std::make_unique<keys::DiscreetProvider>(std::move(real), declared.trouble, shown);
}

}  // namespace sallyport::app
