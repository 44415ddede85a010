#pragma once

#include "agent/connectors/bodies.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors {

// Reads handles of kind "rows" whose attribute `format` is its own.
class RowFormat {
 public:
  virtual ~RowFormat() = default;
  virtual std::string_view format() const = 0;
  virtual StepResult<std::unique_ptr<RowReader>> open(const Handle& handle, Bodies& bodies) const = 0;
};

// Opens every handle of kind "rows" through the format it names.
class RowsOpener final : public HandleOpener {
 public:
  explicit RowsOpener(std::vector<std::unique_ptr<RowFormat>> formats) : formats_(std::move(formats)) {}
  std::string_view kind() const override { return "rows"; }
  StepResult<std::unique_ptr<ByteReader>> open_bytes(const Handle& handle, Bodies& others) override;
  StepResult<std::unique_ptr<RowReader>> open_rows(const Handle& handle, Bodies& others) override;

 private:
  std::vector<std::unique_ptr<RowFormat>> formats_;
};

// The rows in an argument: a handle of kind "rows", a list of maps, or one map. A list is borrowed: `argument` outlives
// the reader. Columns of a list are those of its first row.
StepResult<std::unique_ptr<RowReader>> open_argument_rows(const Value& argument, Bodies& bodies);

inline constexpr std::int64_t kDefaultBatch = 500;

// {"rows": ..., "batches": ...} as the actions that describe rows give them, and {"columns": ...} where they are known.
ValueMap rows_output(Handle rows, std::int64_t batch);
ValueMap rows_output(Handle rows, const std::vector<std::string>& columns, std::int64_t batch);

}  // namespace sallyport::connectors
