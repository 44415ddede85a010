#include "agent/connectors/row_limit.h"

#include <fmt/format.h>

namespace sallyport::connectors {

StepResult<void> check_row(std::uint64_t number, std::uint64_t bytes) {
  if (bytes <= kMaxRow) return {};
  return step_fail("too_large", fmt::format("row {} is larger than {} bytes, the limit for one row", number, kMaxRow));
}

}  // namespace sallyport::connectors
