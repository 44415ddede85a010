#pragma once

#include "agent/connectors/bodies.h"
#include "agent/policy/policy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::connectors::http {

// Writes the items of pages as stored rows. The columns are those that the step names, else the members of the first
// item; an item that is no map has one column, "value".
class PageRows {
 public:
  PageRows(BodyWriter& spool, std::vector<std::string> columns, const policy::StepLimits& limits)
      : spool_(spool), columns_(std::move(columns)), named_(!columns_.empty()), limits_(limits) {}

  // Class "format" when the step names no columns and an item has a member that the first has not; "too_large" over
  // the policy's limits.
  StepResult<void> add(const ValueList& items);
  StepResult<Handle> commit();  // of rows
  std::int64_t count() const { return static_cast<std::int64_t>(count_); }
  const std::vector<std::string>& columns() const { return columns_; }

 private:
  StepResult<void> begin();
  StepResult<void> append(std::string& piece, const Value& item) const;

  BodyWriter& spool_;
  std::vector<std::string> columns_;
  bool named_, begun_ = false;
  policy::StepLimits limits_;
  std::uint64_t count_ = 0, bytes_ = 0;
};

}  // namespace sallyport::connectors::http
