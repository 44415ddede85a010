#pragma once

#include "agent/connectors/rows.h"

namespace sallyport::connectors::json {

// Rows of format "ndjson": one JSON object per line, empty lines skipped; attribute `source` opens as bytes.
// Columns are the members of the first object, sorted. Errors are class "format" or "too_large" with the line, never
// the content.
class NdjsonFormat final : public RowFormat {
 public:
  std::string_view format() const override { return "ndjson"; }
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

}  // namespace sallyport::connectors::json
