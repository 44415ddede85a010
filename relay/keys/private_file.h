#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <cstddef>
#include <filesystem>
#include <span>

// Files with keys: of this user alone (mode 0600), never reached by a symbolic link. Every write is synced.
namespace sallyport::keys {

// The first `most` bytes. Errc::invalid: not a regular file, not this user's, readable by others (the message is the
// exact chmod or chown to run). Errc::not_found: no such file.
Result<Secret> read_private_file(const std::filesystem::path& file, std::size_t most);

// Syncs its folder, too. Errc::conflict: it exists; a key is never overwritten.
Result<void> write_new_private_file(const std::filesystem::path& file, std::span<const std::byte> bytes);

// In place: what stood there is gone as far as the file system and the disk write in place.
Result<void> overwrite(const std::filesystem::path& file, std::size_t offset, std::span<const std::byte> bytes);

// `file` takes the place of `place`, which may be there, in the same file system; durable when this returns.
Result<void> put_in_place(const std::filesystem::path& file, const std::filesystem::path& place);

// not_found: no such folder. forbidden: it is not this user's, or others get in (the message is what to run). A link is
// no folder.
Result<void> expect_private_folder(const std::filesystem::path& folder);

}  // namespace sallyport::keys
