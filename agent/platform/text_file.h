#pragma once

#include "shared/base/result.h"

#include <string>
#include <string_view>

namespace sallyport::platform {

// The whole of a small file of the operator's (configuration); over `limit` bytes it is refused before it is read.
Result<std::string> read_text_file(const std::string& path, std::size_t limit = 4u << 20);

// Replaces `path` atomically and durably; `mode` as for open(2). One process at a time: what an earlier one left when
// it was killed in the middle is removed.
Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode);

}  // namespace sallyport::platform
