#pragma once

#include "relay/app/settings.h"

#include <filesystem>
#include <string>

namespace sallyport::app {

// `sallyport-relay keys rewrap`: wraps the global keys, as the settings in `from` reach them, by what the data
// directory's own settings name. Whatever cuts it short, it is run again. The relay must not run. What it did, in a
// sentence.
Result<std::string> rewrap_keys(const DataDirectory& data, const std::filesystem::path& from, const Clock& clock);

// `sallyport-relay keys create`: makes the master key that the settings name, in its file or in its PKCS#11 token.
// conflict: it is there.
Result<std::string> create_key(const DataDirectory& data);
// The same in any file, for an organisation's own key; "": without a passphrase.
Result<std::string> create_key_file(const std::filesystem::path& file, const std::string& passphrase_file);

// `sallyport-relay keys protect`: writes the master key's file anew, under the passphrase in `passphrase_file`. The
// settings name that file from then on.
Result<std::string> protect_key(const DataDirectory& data, const std::string& passphrase_file);

// `sallyport-relay keys confirm-clock`: an operator's word that this machine's clock is right.
Result<std::string> confirm_clock(const DataDirectory& data);

}  // namespace sallyport::app
