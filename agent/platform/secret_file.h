#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <string>
#include <string_view>

namespace sallyport::platform {

// A file nobody but this process's user (or root) may touch. Refused, with the command that repairs it, when the file
// is not a regular one, is owned by somebody else, or has any permission for group or others.
Result<Secret> read_secret_file(const std::string& path, std::size_t limit = 64u << 10);
Result<void> check_secret_file(const std::string& path);

// Writes it with mode 0600, atomically and durably (temporary file, fsync, rename, fsync of the directory).
Result<void> write_secret_file(const std::string& path, std::string_view bytes);

// Makes the file, empty, if it is absent; either way only this process's user may read or write it afterwards. For a
// file that a library opens later by its name.
Result<void> make_private_file(const std::string& path);

// Creates the directory (and parents) with mode 0700 if absent; refuses one that others may write to.
Result<void> prepare_private_directory(const std::string& path);

}  // namespace sallyport::platform
