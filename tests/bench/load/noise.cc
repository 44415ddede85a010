#include "tests/bench/load/noise.h"

#include <cstring>

namespace sallyport::bench {

void fill_noise(std::span<std::byte> out, std::uint64_t block) {
  std::uint64_t state = (block + 1) * 0x9E3779B97F4A7C15u;
  for (std::size_t at = 0; at + sizeof(state) <= out.size(); at += sizeof(state)) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(out.data() + at, &state, sizeof(state));
  }
}

}  // namespace sallyport::bench
