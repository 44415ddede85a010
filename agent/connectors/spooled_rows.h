#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::connectors {

// What one step may read.
struct RowLimits {
  std::uint64_t rows, bytes;
  std::string rows_limit;  // what set it, for the message
};
// Those of the local policy, narrowed by the step's argument `max_rows`.
RowLimits row_limits(const Site& site, const StepContext& context, const Arguments& arguments);

// Rows that a step reads, on their way into the spool as stored rows; kept as values besides while they are few.
class SpooledRows {
 public:
  static StepResult<SpooledRows> open(Bodies& bodies, RowLimits limits);

  // First, once: the names of the columns.
  StepResult<void> begin(const std::vector<std::string>& columns);
  // One value for each column. Class "too_large" over a limit.
  StepResult<void> row(ValueList values);
  std::uint64_t count() const { return count_; }
  // {rows, batches, count, columns, list}, with the argument `batch` as the size of one item of `batches`.
  StepResult<ValueMap> finish(const Arguments& arguments);

 private:
  SpooledRows(std::unique_ptr<BodyWriter> spool, RowLimits limits)
      : spool_(std::move(spool)), limits_(std::move(limits)) {}
  StepResult<void> flush();
  void keep(ValueList values);
  bool is_small() const;

  std::unique_ptr<BodyWriter> spool_;
  RowLimits limits_;
  ValueList keys_, small_;
  std::string piece_;
  std::uint64_t count_ = 0, bytes_ = 0;
  std::uint64_t names_json_ = 0, small_json_ = 0;  // what names and kept rows take as JSON
};

}  // namespace sallyport::connectors
