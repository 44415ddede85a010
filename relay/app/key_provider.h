#pragma once

#include "relay/app/settings.h"
#include "relay/keys/provider.h"
#include "relay/outbound/credential_source.h"
#include "relay/outbound/sigv4.h"

#include <memory>
#include <string>
#include <string_view>

namespace sallyport::app {

// What keeps the master key, as the settings say. Reads the secrets for it, and those of AWS and Vault, and a key's
// file, again for each call, that of a token when it is opened; nobody is asked yet.
Result<std::unique_ptr<keys::Provider>> make_provider(const DataDirectory& data, const KeySettings& settings,
                                                      const Clock& clock);

// The master key in `file`, under the passphrase that the settings name.
Result<Secret> read_master_key(const std::filesystem::path& file, const FileKeySettings& settings);

// One secret from a file of mode 0600, without the line break at its end.
Result<Secret> read_secret_file(const std::string& file);

// The same, read anew each time.
outbound::CredentialSource<Secret> secret_in(std::string file);

// The credentials in a file of mode 0600, read anew each time: whoever writes new ones puts a file in its place.
outbound::AwsCredentialSource aws_credentials_in(std::string file);

// "aws_access_key_id = ..." and so on, of the first profile in the text. Errc::invalid: what is missing.
Result<outbound::AwsCredentials> parse_aws_credentials(std::string_view text);

}  // namespace sallyport::app
