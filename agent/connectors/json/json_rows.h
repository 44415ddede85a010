#pragma once

#include "agent/connectors/rows.h"

namespace sallyport::connectors::json {

// Rows of format "json": the objects of the array to which the attribute `pointer` leads; `source` opens as bytes.
// Columns are the members of the first object, sorted. Errors are class "format" or "too_large" with the line, never
// the content.
class JsonFormat final : public RowFormat {
 public:
  static constexpr std::string_view kName = "json";
  std::string_view format() const override { return kName; }
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

}  // namespace sallyport::connectors::json
