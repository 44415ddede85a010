#include "relay/app/key_provider.h"

#include "relay/app/key_file.h"
#include "relay/keys/master_key.h"
#include "relay/keys/private_file.h"
#include "relay/keys/providers/aws_kms.h"
#include "relay/keys/providers/pkcs11.h"
#include "relay/keys/providers/vault_transit.h"

#include <fmt/format.h>

#include <map>
#include <string>

namespace sallyport::app {
namespace {

constexpr std::size_t kMostSecret = 8'192;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

using Made = Result<std::unique_ptr<keys::Provider>>;

struct Maker {
  const DataDirectory& data;
  const Clock& clock;

  Made operator()(const FileKeySettings& settings) const {
    const auto file = std::filesystem::absolute(data.master_key());
    SP_CHECK(read_master_key(file, settings));  // whoever starts the relay is told at once
    auto read = [file, settings] { return read_master_key(file, settings); };
    return keys::on_a_thread(std::make_shared<KeyFile>(file.string(), "the master key", std::move(read)), {});
  }

  Made operator()(const Pkcs11KeySettings& settings) const {
    return keys::make_pkcs11({settings.module, settings.token, settings.key, secret_in(settings.pin_file)});
  }

  Made operator()(const AwsKmsKeySettings& settings) const {
    return keys::make_aws_kms({settings.region, settings.key, aws_credentials_in(settings.credentials_file),
                               settings.endpoint, settings.ca_file},
                              clock);
  }

  Made operator()(const VaultKeySettings& settings) const {
    return keys::make_vault_transit({settings.address, settings.mount, settings.key, secret_in(settings.token_file),
                                     settings.name_space, settings.ca_file});
  }
};

}  // namespace

Result<std::unique_ptr<keys::Provider>> make_provider(const DataDirectory& data, const KeySettings& settings,
                                                      const Clock& clock) {
  auto made = std::visit(Maker{data, clock}, settings);
  if (!made) return in_context("keys (relay.yaml)", std::move(made).error());
  return made;
}

Result<Secret> read_master_key(const std::filesystem::path& file, const FileKeySettings& settings) {
  std::optional<Secret> passphrase;
  if (!settings.passphrase_file.empty()) {
    SP_TRY(passphrase, read_secret_file(settings.passphrase_file));
  }
  auto key = keys::read_key_file(file, passphrase);
  if (!key && !passphrase && key.error().code == Errc::forbidden) {
    return fail(Errc::forbidden,
                key.error().message + "; relay.yaml has to name its file: keys: {file: {passphrase_file: FILE}}");
  }
  return key;
}

Result<Secret> read_secret_file(const std::string& file) {
  SP_TRY(const Secret content, keys::read_private_file(file, kMostSecret));
  auto text = content.reveal();
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return fail(Errc::invalid, file + ": is empty");
  return Secret::take(std::string(text));
}

outbound::CredentialSource<Secret> secret_in(std::string file) {
  return [file = std::move(file)] { return read_secret_file(file); };
}

outbound::AwsCredentialSource aws_credentials_in(std::string file) {
  return [file = std::move(file)]() -> Result<outbound::AwsCredentials> {
    SP_TRY(const auto text, keys::read_private_file(file, kMostSecret));
    auto credentials = parse_aws_credentials(text.reveal());
    if (!credentials) return in_context(file, std::move(credentials).error());
    return credentials;
  };
}

Result<outbound::AwsCredentials> parse_aws_credentials(std::string_view text) {
  outbound::AwsCredentials found;
  bool inside = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with('[') && std::exchange(inside, true)) break;
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || line.starts_with('#')) continue;
    const auto name = trimmed(line.substr(0, equals));
    std::string value(trimmed(line.substr(equals + 1)));
    if (name == "aws_access_key_id")
      found.access_key_id = std::move(value);
    else if (name == "aws_secret_access_key")
      found.secret_access_key = Secret::take(value);
    else if (name == "aws_session_token")
      found.session_token = Secret::take(value);
  }
  if (found.access_key_id.empty() || found.secret_access_key.empty()) {
    return fail(Errc::invalid, "its first profile needs aws_access_key_id and aws_secret_access_key");
  }
  return found;
}

}  // namespace sallyport::app
