#include "agent/connectors/rows.h"

#include "agent/connectors/arguments.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors {
namespace {

class ListedRows final : public RowReader {
 public:
  explicit ListedRows(std::span<const Value> rows) : rows_(rows) {
    if (rows.empty() || !rows.front().is(Value::Kind::map)) return;
    for (const auto& [key, value] : rows.front().as_map()) {
      if (key.is(Value::Kind::string)) columns_.push_back(key.as_string());
    }
  }
  const std::vector<std::string>& columns() const override { return columns_; }
  StepResult<std::optional<Value>> next() override {
    if (at_ == rows_.size()) return std::nullopt;
    const auto& row = rows_[at_++];
    if (!row.is(Value::Kind::map)) return step_fail("invalid", fmt::format("row {} is no map of columns", at_));
    return row;
  }

 private:
  std::span<const Value> rows_;
  std::size_t at_ = 0;
  std::vector<std::string> columns_;
};

}  // namespace

StepResult<std::unique_ptr<ByteReader>> RowsOpener::open_bytes(const Handle&, Bodies&) {
  return step_fail("invalid", "rows have no bytes of their own: write them with csv.write or json.write first");
}

StepResult<std::unique_ptr<RowReader>> RowsOpener::open_rows(const Handle& handle, Bodies& others) {
  SP_TRY(const auto wanted, text_attribute(handle, "format"));
  const auto it = std::ranges::find(formats_, wanted, [](const auto& format) { return format->format(); });
  if (it == formats_.end())
    return step_fail("invalid", fmt::format("this agent cannot read rows of the format \"{}\"", wanted.substr(0, 32)));
  return (*it)->open(handle, others);
}

StepResult<std::unique_ptr<RowReader>> open_argument_rows(const Value& argument, Bodies& bodies) {
  if (argument.is(Value::Kind::handle)) return bodies.open_rows(argument.as_handle());
  if (argument.is(Value::Kind::list)) return std::make_unique<ListedRows>(std::span<const Value>(argument.as_list()));
  if (argument.is(Value::Kind::map)) return std::make_unique<ListedRows>(std::span<const Value>(&argument, 1));
  return step_fail("invalid", "rows must be a row set, a list of maps, or a map");
}

ValueMap rows_output(Handle rows, std::int64_t batch) {
  auto batches = rows;
  batches.attributes.insert_or_assign(Value("batch"), Value(batch));
  return ValueMap{{Value("rows"), Value(std::move(rows))}, {Value("batches"), Value(std::move(batches))}};
}

ValueMap rows_output(Handle rows, const std::vector<std::string>& columns, std::int64_t batch) {
  auto output = rows_output(std::move(rows), batch);
  output.emplace(Value("columns"), Value(ValueList(columns.begin(), columns.end())));
  return output;
}

}  // namespace sallyport::connectors
