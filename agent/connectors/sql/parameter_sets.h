#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/sql/statement.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace sallyport::connectors::sql {

// A statement's parameters out of rows, a few at a time and in parts: what one transaction takes. Errors name the row
// by its number; more rows than the local policy allows are class "too_large".
class ParameterSets {
 public:
  // `statement` outlives this.
  ParameterSets(std::unique_ptr<RowReader> rows, const Statement& statement, std::uint64_t most_rows)
      : rows_(std::move(rows)), statement_(statement), most_rows_(most_rows) {}

  StepResult<bool> has_more();
  void begin_part(std::uint64_t rows) { left_ = rows; }
  // The next sets of the part, at most 4,000, or 512 KiB and one row; none at its end. Valid until the next call.
  StepResult<std::span<const ValueList>> next_some();
  StepResult<void> skip_part();
  std::uint64_t taken() const { return taken_; }  // rows, from the first one on

 private:
  StepResult<std::optional<Value>> take();

  std::unique_ptr<RowReader> rows_;
  const Statement& statement_;
  std::uint64_t most_rows_;
  std::optional<Value> ahead_;
  std::uint64_t taken_ = 0, left_ = 0;
  std::vector<ValueList> some_;
};

}  // namespace sallyport::connectors::sql
