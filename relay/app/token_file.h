#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <filesystem>

// Where the first owner's token goes. Blocking.
namespace sallyport::app {

// Whether write_token can make this file: it does not exist, and its folder takes new files. For a look before
// anything is made; conflict: the file is there.
Result<void> check_token_file(const std::filesystem::path& file);

// A new file (0600) with the token and a line break; durable. Never replaces a file.
Result<void> write_token(const std::filesystem::path& file, const Secret& token);

// The same to an open descriptor, such as standard output.
Result<void> print_token(int descriptor, const Secret& token);

}  // namespace sallyport::app
