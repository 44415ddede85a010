#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::bench {

// Fills `out`, a multiple of 8 bytes, with what does not compress and is different for each `block`.
void fill_noise(std::span<std::byte> out, std::uint64_t block);

}  // namespace sallyport::bench
