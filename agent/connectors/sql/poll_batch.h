#pragma once

#include "agent/connectors/sql/database.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::connectors::sql {

// The rows of one event of sql.poll@1, and the cursor after them. Rows with one value of the cursor stay together: the
// next poll asks for what lies beyond it, and what was cut off would never come. No IO.
class PollBatch final : public RowSink {
 public:
  struct Limits {
    std::size_t rows;
    std::size_t bytes;  // as JSON, with the names of columns
  };
  // `from` is the cursor that was polled with.
  PollBatch(std::string column, Value from, Limits limits)
      : column_(std::move(column)), from_(std::move(from)), limits_(limits) {}

  StepResult<void> begin(const std::vector<std::string>& columns) override;
  // An error, with is_full(), once no more fits: that ends the query.
  StepResult<void> row(ValueList values) override;
  bool is_full() const { return beyond_.has_value(); }

  struct Polled {
    ValueList rows;  // maps by column
    Value cursor;
  };
  // Nothing: no rows. Class "too_large" when rows with one cursor value do not fit into an event; "invalid" when the
  // statement does not go on from its cursor.
  StepResult<std::optional<Polled>> finish();

 private:
  StepResult<void> check_cursor(const Value& cursor) const;

  std::string column_;
  Value from_;
  Limits limits_;
  ValueList names_;
  std::size_t at_ = 0;  // of the cursor among the columns
  ValueList rows_;
  std::vector<Value> cursors_;  // of the rows
  std::size_t bytes_ = 0;
  std::optional<Value> beyond_;  // cursor of the first row that did not fit
};

}  // namespace sallyport::connectors::sql
