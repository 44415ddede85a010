#pragma once

#include "agent/connectors/rows.h"

namespace sallyport::connectors::fixed {

// Rows of format "fixed": records of fixed width (fixed_layout.h), each a line or, with `records` "none", right after
// the one before. Attributes are the arguments of fixed.read@1. All values are text, or null.
class FixedFormat final : public RowFormat {
 public:
  static constexpr std::string_view kName = "fixed";
  std::string_view format() const override { return kName; }
  StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const override;
};

}  // namespace sallyport::connectors::fixed
