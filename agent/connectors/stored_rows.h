#pragma once

#include "agent/connectors/rows.h"

#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors {

// Rows that a step leaves in the spool, each value with its type and the columns in their order, also when there is no
// row. The first line is a list of the names of the columns, every other one a list of a row's values; both are stored
// JSON (shared/base/json.h).
class StoredRowsFormat final : public RowFormat {
 public:
  static constexpr std::string_view kName = "stored";
  std::string_view format() const override { return kName; }
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

// The lines, with their LF. A name must appear once and be none that stored JSON reserves: class "invalid".
StepResult<std::string> stored_columns_line(std::span<const std::string> names);
std::string stored_row_line(const ValueList& values);  // one for each column; may be longer than kMaxLine

// Handle of kind "rows" for such a body.
Handle stored_rows_handle(Handle body);

}  // namespace sallyport::connectors
