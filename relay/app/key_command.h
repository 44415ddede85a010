#pragma once

#include "relay/app/settings.h"

#include <filesystem>
#include <string>

namespace sallyport::app {

// `sallyport-relay keys rewrap`: wraps the global keys, as the settings in `from` reach them, by what the data
// directory's own settings name. Whatever cuts it short, it is run again. The relay must not run. What it did, in a
// sentence.
Result<std::string> rewrap_keys(const DataDirectory& data, const std::filesystem::path& from, const Clock& clock);

// `sallyport-relay keys create`: makes the key that the settings name in their PKCS#11 token. conflict: it is there.
Result<std::string> create_key(const DataDirectory& data);

// `sallyport-relay keys protect`: writes the master key's file anew, under the passphrase in `passphrase_file`. The
// settings name that file from then on.
Result<std::string> protect_key(const DataDirectory& data, const std::string& passphrase_file);

// `sallyport-relay keys confirm-clock`: an operator's word that this machine's clock is right.
Result<std::string> confirm_clock(const DataDirectory& data);

}  // namespace sallyport::app
