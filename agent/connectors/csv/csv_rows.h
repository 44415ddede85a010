#pragma once

#include "agent/connectors/rows.h"

namespace sallyport::connectors::csv {

// Rows of format "csv". Attributes: `source` (opens as bytes), `delimiter` (one ASCII character), `header` (bool),
// `columns` (list of names; needed without a header, a selection with one), `encoding`, `empty` ("text" or "null").
// Every value is text, or null for an empty field without quotes with `empty: null`. A record with more or fewer fields
// than columns is an error: silently shifted columns are worse.
class CsvFormat final : public RowFormat {
 public:
  std::string_view format() const override { return "csv"; }
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

}  // namespace sallyport::connectors::csv
