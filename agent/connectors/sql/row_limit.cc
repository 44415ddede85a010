#include "agent/connectors/sql/row_limit.h"

#include <fmt/format.h>

namespace sallyport::connectors::sql {

StepResult<void> DroppedRows::drop(std::uint64_t bytes) {
  ++rows_;
  bytes_ += bytes;
  if (rows_ > rows_limit_)
    return step_fail("too_large",
                     fmt::format("the statements return more than {} rows, the limit of the local policy (limits.rows)",
                                 rows_limit_));
  if (bytes_ > bytes_limit_)
    return step_fail(
        "too_large",
        fmt::format("the statements return more than {} bytes, the limit of the local policy (limits.bytes)",
                    bytes_limit_));
  return {};
}

}  // namespace sallyport::connectors::sql
