#include "agent/connectors/bodies.h"

#include <algorithm>
#include <array>

namespace sallyport::connectors {

StepResult<std::uint64_t> ByteReader::skip(std::uint64_t count) {
  std::array<std::byte, 65536> buffer;
  std::uint64_t left = count;
  while (left > 0) {
    const auto wanted = std::min<std::uint64_t>(left, buffer.size());
    SP_TRY(const auto got, read(std::span(buffer).first(static_cast<std::size_t>(wanted))));
    if (got == 0) break;
    left -= got;
  }
  return count - left;
}

}  // namespace sallyport::connectors
