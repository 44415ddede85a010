#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <filesystem>
#include <string_view>

namespace sallyport::identity {

enum class Readers { owner, everybody };  // modes 0600 and 0644

// Replaces the file as a whole: a crash leaves the old content or the new. Durable when it returns.
Result<void> replace_file(const std::filesystem::path& path, std::string_view content, Readers readers);

// At most 64 KiB. With Readers::owner, a file that anybody else may read is refused (forbidden). not_found: there is
// none.
Result<Secret> read_file(const std::filesystem::path& path, Readers readers);

Result<void> make_private_directory(const std::filesystem::path& path);  // 0700; fine when it is there already

}  // namespace sallyport::identity
