#pragma once

#include "agent/platform/fd.h"
#include "shared/base/result.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::platform {

// Blocking transfers on a borrowed descriptor; interrupted calls are repeated.
Result<std::size_t> read_some(int fd, std::span<std::byte> into);  // 0 = the end
Result<std::size_t> read_at(int fd, std::uint64_t offset, std::span<std::byte> into);
Result<void> write_all(int fd, std::span<const std::byte> bytes);

}  // namespace sallyport::platform
