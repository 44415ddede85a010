#pragma once

#include "agent/connectors/rows.h"

namespace sallyport::connectors::xml {

// Rows of format "xml": the elements that the attribute `row` names, with the columns of the map `columns` (name to
// path), sorted by name; `source` opens as bytes. A value is text, or null when it is not there.
class XmlFormat final : public RowFormat {
 public:
  static constexpr std::string_view kName = "xml";
  std::string_view format() const override { return kName; }
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

}  // namespace sallyport::connectors::xml
