#pragma once

#include "shared/base/result.h"

#include <string>
#include <string_view>

namespace sallyport::platform {

// The whole of a small file of the operator's (configuration); over `limit` bytes it is refused before it is read.
// Whoever can write it decides what the agent does: `forbidden`, with the command that repairs it, when the file or the
// folder it really lies in belongs to another than root and the agent's user, or group or others may write to it.
Result<std::string> read_text_file(const std::string& path, std::size_t limit = 4u << 20);

// The same for a folder of such files. One with the sticky bit may be open: there only its owner replaces a file.
Result<void> check_operators_folder(const std::string& path);

// Replaces `path` atomically and durably; `mode` as for open(2). One process at a time: what an earlier one left when
// it was killed in the middle is removed.
Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode);

}  // namespace sallyport::platform
