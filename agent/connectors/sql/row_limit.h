#pragma once

#include "agent/connectors/row_limit.h"

#include <cstddef>
#include <cstdint>

namespace sallyport::connectors::sql {

// Rows that statements return although nobody keeps them (RETURNING, a SELECT in sql.execute): counted, held to the
// policy's limits for one step, and dropped.
class DroppedRows {
 public:
  DroppedRows() = default;  // no limits
  DroppedRows(std::uint64_t rows, std::uint64_t bytes) : rows_limit_(rows), bytes_limit_(bytes) {}
  StepResult<void> drop(std::uint64_t bytes);

 private:
  std::uint64_t rows_limit_ = UINT64_MAX, bytes_limit_ = UINT64_MAX;
  std::uint64_t rows_ = 0, bytes_ = 0;
};

}  // namespace sallyport::connectors::sql
