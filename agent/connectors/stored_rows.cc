#include "agent/connectors/stored_rows.h"

#include "agent/connectors/body_lines.h"
#include "agent/connectors/row_limit.h"
#include "agent/connectors/stored_cells.h"
#include "shared/base/json.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace sallyport::connectors {
namespace {

constexpr std::string_view kMark = "rows1\n";
constexpr std::size_t kPiece = 64u << 10;

// Pulls the records of a body, one at a time, each of at most kMaxRow bytes.
class Records {
 public:
  explicit Records(std::unique_ptr<ByteReader> source) : source_(std::move(source)) {}

  StepResult<bool> take_mark() {
    SP_TRY(const auto mark, take(kMark.size()));
    return mark == kMark;
  }
  // Valid until the next call; nullopt at the end. Class "format" when it is cut short or too long.
  StepResult<std::optional<std::string_view>> next() {
    ++number_;
    SP_TRY(const auto head, take(sizeof(std::uint32_t)));
    if (head && head->empty()) return std::nullopt;
    if (!head) return damaged();
    const auto size = stored_size(*head);
    if (size > kMaxRow) return damaged();
    SP_TRY(const auto record, take(size));
    if (!record || record->size() != size) return damaged();
    return record;
  }
  std::unexpected<StepError> damaged() const {
    return step_fail("format", fmt::format("record {} of stored rows is not what this agent writes", number_));
  }

 private:
  // The next `size` bytes; none at the end; nullopt when there are fewer.
  StepResult<std::optional<std::string_view>> take(std::size_t size) {
    while (buffer_.size() - at_ < size) {
      buffer_.erase(0, at_);
      at_ = 0;
      const auto had = buffer_.size();
      buffer_.resize(had + kPiece);
      SP_TRY(const auto got, source_->read(std::as_writable_bytes(std::span(buffer_).subspan(had))));
      buffer_.resize(had + got);
      if (got > 0) continue;
      if (had == 0) return std::string_view();
      return std::nullopt;
    }
    const auto taken = std::string_view(buffer_).substr(at_, size);
    at_ += size;
    return taken;
  }

  std::unique_ptr<ByteReader> source_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
};

class StoredRows final : public RowReader {
 public:
  explicit StoredRows(std::unique_ptr<ByteReader> source) : records_(std::move(source)) {}

  StepResult<void> begin() {
    SP_TRY(const auto marked, records_.take_mark());
    if (!marked) return records_.damaged();
    SP_TRY(const auto names, read());
    if (!names) return records_.damaged();
    for (const auto& name : *names) {
      if (!name.is(Value::Kind::string)) return records_.damaged();
      columns_.push_back(name.as_string());
    }
    keys_ = *names;
    sorted_.resize(keys_.size());
    std::iota(sorted_.begin(), sorted_.end(), 0);
    std::ranges::sort(sorted_, KeyLess(), [this](std::size_t i) -> const Value& { return keys_[i]; });
    return {};
  }
  const std::vector<std::string>& columns() const override { return columns_; }

  StepResult<std::optional<Value>> next() override {
    SP_TRY(auto values, read());
    if (!values) return std::nullopt;
    if (values->size() != keys_.size()) return records_.damaged();
    ValueMap row;
    for (const auto i : sorted_) row.emplace_hint(row.end(), keys_[i], std::move((*values)[i]));
    return Value(std::move(row));
  }

 private:
  StepResult<std::optional<ValueList>> read() {
    SP_TRY(auto record, records_.next());
    if (!record) return std::nullopt;
    ValueList values;
    values.reserve(keys_.size());
    while (!record->empty()) {
      auto value = take_stored_cell(*record);
      if (!value) return records_.damaged();
      values.push_back(*std::move(value));
    }
    return values;
  }

  Records records_;
  std::vector<std::string> columns_;
  ValueList keys_;
  std::vector<std::size_t> sorted_;  // places of the columns, in the order of a map's keys
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> StoredRowsFormat::open(const Handle& handle, Bodies& bodies) const {
  SP_TRY(auto source, open_source(handle, bodies));
  auto rows = std::make_unique<StoredRows>(std::move(source));
  SP_CHECK(rows->begin());
  return rows;
}

StepResult<std::string> stored_columns(std::span<const std::string> names) {
  std::set<std::string_view> seen;
  for (const auto& name : names) {
    if (!seen.insert(name).second)
      return step_fail("invalid", fmt::format("two columns are named \"{}\"; give one another name with AS", name));
    if (is_reserved_name(name))
      return step_fail("invalid", fmt::format("a column must not be named {}; give it another name with AS", name));
  }
  std::string text(kMark);
  append_stored_row(text, ValueList(names.begin(), names.end()));
  return text;
}

void append_stored_row(std::string& out, const ValueList& values) {
  const auto begin = out.size();
  append_stored_size(out, 0);
  for (const auto& value : values) append_stored_cell(out, value);
  std::string size;
  append_stored_size(size, out.size() - begin - sizeof(std::uint32_t));
  out.replace(begin, size.size(), size);
}

Handle stored_rows_handle(Handle body) {
  return Handle{"rows",
                ValueMap{{Value("format"), Value(StoredRowsFormat::kName)}, {Value("source"), Value(std::move(body))}}};
}

}  // namespace sallyport::connectors
