#pragma once

#include "agent/connectors/archive/transform.h"

#include <memory>

namespace sallyport::connectors::archive {

// Zstandard (RFC 8878) by libzstd, which is loaded by the first of them; several frames make one body. A frame that
// needs a window over 8 MiB, which RFC 8878 asks nobody to support, is class "too_large". Class "internal" when the
// library cannot be loaded.
StepResult<std::unique_ptr<Transform>> make_zstd_packer(int level);  // 1 to 9: at most 17 MiB of memory
StepResult<std::unique_ptr<Transform>> make_zstd_unpacker();

}  // namespace sallyport::connectors::archive
