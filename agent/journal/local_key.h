#pragma once

#include "shared/base/result.h"
#include "shared/base/secret.h"

#include <filesystem>

namespace sallyport::journal {

// The 32 bytes that seal this agent's journal and spool at rest. Made at the first start: a file only its owner may
// read, on the disk before it is used. Call it while the state directory is locked. Errc::forbidden when others may
// read it, invalid when it is not a key. Losing the file means losing the journal's payloads; it never leaves the
// machine. When `journal` is there and the key is not, none is made: with a new one every unfinished job would be
// unreadable and every event unknown. Errc::not_found then says what to do.
Result<Secret> load_or_create_local_key(const std::filesystem::path& file, const std::filesystem::path& journal);

}  // namespace sallyport::journal
