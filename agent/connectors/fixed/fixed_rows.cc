#include "agent/connectors/fixed/fixed_rows.h"

#include "agent/connectors/body_lines.h"
#include "agent/connectors/decode.h"
#include "agent/connectors/fixed/fixed_layout.h"
#include "agent/connectors/fixed/fixed_records.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::connectors::fixed {
namespace {

struct Options {
  std::vector<FixedColumn> columns;
  Encoding encoding = Encoding::utf8;
  bool by_lines = true;
  bool empty_is_null = false;
  std::size_t length = 0;  // of a record without a separator
  std::int64_t skip = 0;
};

StepResult<Options> read_options(const Handle& handle) {
  const Value attributes(handle.attributes);
  const Arguments arguments(attributes);
  Options options;
  SP_TRY(options.columns, read_layout(arguments));
  const auto encoding = parse_encoding(arguments.text_or("encoding", "utf-8"));
  if (!encoding) return step_fail("invalid", "`encoding` must be utf-8, iso-8859-1 or windows-1252");
  options.encoding = *encoding;
  options.by_lines = arguments.text_or("records", "lines") == "lines";
  options.empty_is_null = arguments.text_or("empty", "text") == "null";
  options.skip = arguments.integer_or("skip", 0);
  const auto width = width_of(options.columns);
  const auto length = arguments.integer_or("length", static_cast<std::int64_t>(width));
  if (std::cmp_less(length, width) || std::cmp_greater(length, kMaxRecord))
    return step_fail("invalid", "`length` is less than the columns need, or too large");
  options.length = static_cast<std::size_t>(length);
  return options;
}

class FixedRows final : public RowReader {
 public:
  FixedRows(std::unique_ptr<ByteReader> source, Options options)
      : options_(std::move(options)), records_(options_.by_lines ? 0 : options_.length), source_(std::move(source)) {
    for (const auto& column : options_.columns) names_.push_back(column.name);
    keys_.assign(names_.begin(), names_.end());
  }
  const std::vector<std::string>& columns() const override { return names_; }

  StepResult<std::optional<Value>> next() override {
    for (;;) {
      SP_TRY(const auto record, next_record());
      if (!record) return std::nullopt;
      if (records_.number() <= static_cast<std::uint64_t>(options_.skip)) continue;
      if (options_.by_lines && record->empty()) continue;
      return as_row(*record);
    }
  }

 private:
  StepResult<std::optional<Value>> as_row(const std::string& record) const {
    auto fields = cut_record(record, options_.columns);
    if (!fields)
      return step_fail("format", fmt::format("record {} is shorter than the columns need", records_.number()));
    ValueMap row;
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      auto& field = (*fields)[i];
      row.emplace(keys_[i], field.empty() && options_.empty_is_null ? Value() : Value(std::move(field)));
    }
    return Value(std::move(row));
  }

  StepResult<std::optional<std::string>> next_record() {
    for (;;) {
      SP_TRY(auto record, records_.next());
      if (record || ended_) return record;
      std::array<std::byte, 65536> buffer;
      SP_TRY(const auto got, source_->read(buffer));
      ended_ = got == 0;
      if (ended_) records_.finish();
      std::string text;
      append_utf8(text, std::span(buffer).first(got), options_.encoding);
      records_.feed(text);
    }
  }

  Options options_;
  FixedRecords records_;
  std::unique_ptr<ByteReader> source_;
  bool ended_ = false;
  std::vector<std::string> names_;
  std::vector<Value> keys_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> FixedFormat::open(const Handle& handle, Bodies& bodies) const {
  SP_TRY(auto options, read_options(handle));
  SP_TRY(auto source, open_source(handle, bodies));
  return std::make_unique<FixedRows>(std::move(source), std::move(options));
}

}  // namespace sallyport::connectors::fixed
