#include "agent/connectors/stored_rows.h"

#include "agent/connectors/body_lines.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <set>

namespace sallyport::connectors {
namespace {

class StoredRows final : public RowReader {
 public:
  explicit StoredRows(std::unique_ptr<ByteReader> source) : lines_(std::move(source)) {}

  StepResult<void> begin() {
    SP_TRY(const auto names, read());
    if (!names) return damaged();
    for (const auto& name : *names) {
      if (!name.is(Value::Kind::string)) return damaged();
      columns_.push_back(name.as_string());
    }
    keys_ = *names;
    return {};
  }
  const std::vector<std::string>& columns() const override { return columns_; }

  StepResult<std::optional<Value>> next() override {
    SP_TRY(auto values, read());
    if (!values) return std::nullopt;
    if (values->size() != keys_.size()) return damaged();
    ValueMap row;
    for (std::size_t i = 0; i < keys_.size(); ++i) row.emplace(keys_[i], std::move((*values)[i]));
    return Value(std::move(row));
  }

 private:
  std::unexpected<StepError> damaged() const {
    return step_fail("format", fmt::format("line {} of stored rows is not what this agent writes", lines_.number()));
  }

  StepResult<std::optional<ValueList>> read() {
    SP_TRY(const auto line, lines_.next());
    if (!line) return std::nullopt;
    const auto list = parse_stored_json(*line, {.max_bytes = kMaxLine});
    if (!list || !list->is(Value::Kind::list)) return damaged();
    return list->as_list();
  }

  BodyLines lines_;
  std::vector<std::string> columns_;
  ValueList keys_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> StoredRowsFormat::open(const Handle& handle, Bodies& bodies) const {
  SP_TRY(auto source, open_source(handle, bodies));
  auto rows = std::make_unique<StoredRows>(std::move(source));
  SP_CHECK(rows->begin());
  return rows;
}

StepResult<std::string> stored_columns_line(std::span<const std::string> names) {
  std::set<std::string_view> seen;
  for (const auto& name : names) {
    if (!seen.insert(name).second)
      return step_fail("invalid", fmt::format("two columns are named \"{}\"; give one another name with AS", name));
    if (is_reserved_name(name))
      return step_fail("invalid", fmt::format("a column must not be named {}; give it another name with AS", name));
  }
  return stored_row_line(ValueList(names.begin(), names.end()));
}

std::string stored_row_line(const ValueList& values) { return stored_json(Value(values)) + "\n"; }

Handle stored_rows_handle(Handle body) {
  return Handle{"rows",
                ValueMap{{Value("format"), Value(StoredRowsFormat::kName)}, {Value("source"), Value(std::move(body))}}};
}

}  // namespace sallyport::connectors
