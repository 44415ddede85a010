#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <filesystem>
#include <optional>

namespace sallyport::keys {

// The master key as a file of 32 random bytes, in clear or under a passphrase (scrypt, RFC 7914, N=2^17 r=8 p=1, and
// AES-256-GCM). "sallyport-master-key-1 <base64url>\n" or "sallyport-master-key-1-scrypt <base64url>\n".

// Errc::invalid: open to others (the message is the command to run), not a master key, or damaged. Errc::forbidden: it
// has a passphrase and that is missing or wrong. Errc::not_found: no such file.
Result<Secret> read_key_file(const std::filesystem::path& file, const std::optional<Secret>& passphrase);

// What read_key_file does with the text of a file.
Result<Secret> parse_key_file(const Secret& text, const std::optional<Secret>& passphrase);

// Makes the file with mode 0600 and syncs it and its folder. Errc::conflict: it exists; a key is never overwritten.
Result<void> write_key_file(const std::filesystem::path& file, const Secret& key,
                            const std::optional<Secret>& passphrase);

}  // namespace sallyport::keys
