#pragma once

#include "relay/keys/sealed_record.h"
#include "shared/base/secret.h"

#include <filesystem>

namespace sallyport::keys {

// The key at the top: 32 bytes, from which every record's key is derived.
struct MasterKey {
  KeyId id{};
  Secret key;
};

MasterKey new_master_key();

// Reads what write_key_file wrote. Errc::invalid: not a regular file, not this user's, readable by others (the message
// is the exact chmod or chown to run), or not a master key. Errc::not_found: no such file.
Result<MasterKey> read_key_file(const std::filesystem::path& file);

// Makes the file with mode 0600 and syncs it and its folder. Errc::conflict: it exists; a key is never overwritten.
Result<void> write_key_file(const std::filesystem::path& file, const MasterKey& key);

}  // namespace sallyport::keys
