#pragma once

#include "agent/connectors/rows.h"

#include <span>
#include <string>
#include <vector>

namespace sallyport::connectors {

// Rows that a step leaves in the spool, each value with its type and the columns in their order, also when there is no
// row. The body is a mark and records: the first holds the names of the columns, every other one a row's values. A
// record is its length (4 bytes, little-endian, as all numbers here) and its cells; a cell, a byte for the kind and the
// value, with its length before it (4 bytes) where it has one. What is neither a number nor a word, text or bytes is
// stored JSON (shared/base/json.h).
class StoredRowsFormat final : public RowFormat {
 public:
  static constexpr std::string_view kName = "stored";
  std::string_view format() const override { return kName; }
  // Class "format" for what append_stored_row() does not write, there and in the reader.
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

// How such a body begins. A name must appear once and be none that stored JSON reserves: class "invalid".
StepResult<std::string> stored_columns(std::span<const std::string> names);
// `values`: one for each column. Over kMaxRow nobody reads it back.
void append_stored_row(std::string& out, const ValueList& values);

// Handle of kind "rows" for such a body.
Handle stored_rows_handle(Handle body);

}  // namespace sallyport::connectors
