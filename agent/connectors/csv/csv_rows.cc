#include "agent/connectors/csv/csv_rows.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/csv/csv_parser.h"
#include "agent/connectors/decode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace sallyport::connectors::csv {
namespace {

using Record = CsvParser::Record;

struct Options {
  CsvDialect dialect;
  bool header = true;
  bool empty_is_null = false;
  Encoding encoding = Encoding::utf8;
  std::vector<std::string> columns;
};

StepResult<CsvDialect> read_dialect(const Arguments& arguments) {
  CsvDialect dialect;
  SP_TRY(dialect.delimiter, parse_delimiter(arguments.text_or("delimiter", ",")));
  const auto quote = arguments.text_or("quote", "\""), comment = arguments.text_or("comment", "");
  dialect.quote.reset();
  if (!quote.empty()) {
    SP_TRY(dialect.quote, parse_character(quote, "quote"));
  }
  if (!comment.empty()) {
    SP_TRY(dialect.comment, parse_character(comment, "comment"));
  }
  dialect.skip = static_cast<std::uint64_t>(std::max<std::int64_t>(arguments.integer_or("skip", 0), 0));
  if (dialect.quote == dialect.delimiter || dialect.comment == dialect.delimiter ||
      (dialect.comment && dialect.comment == dialect.quote))
    return step_fail("invalid", "`delimiter`, `quote` and `comment` must differ");
  return dialect;
}

StepResult<Options> read_options(const Handle& handle) {
  const Value attributes(handle.attributes);
  const Arguments arguments(attributes);
  Options options;
  SP_TRY(options.dialect, read_dialect(arguments));
  options.header = arguments.find("header") == nullptr || arguments.is_true("header");
  options.empty_is_null = arguments.text_or("empty", "text") == "null";
  const auto encoding = parse_encoding(arguments.text_or("encoding", "utf-8"));
  if (!encoding) return step_fail("invalid", "`encoding` must be utf-8, iso-8859-1 or windows-1252");
  options.encoding = *encoding;
  if (const auto* columns = arguments.find("columns"); columns != nullptr && columns->is(Value::Kind::list)) {
    for (const auto& column : columns->as_list()) {
      if (!column.is(Value::Kind::string) || column.as_string().empty())
        return step_fail("invalid", "`columns` must be names");
      options.columns.push_back(column.as_string());
    }
  }
  if (!options.header && options.columns.empty())
    return step_fail("invalid", "without a header the names of the columns are needed: give `columns`");
  return options;
}

StepResult<void> check_names(const Record& names) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) return step_fail("format", fmt::format("column {} of the CSV has no name", i + 1));
    if (!seen.insert(names[i]).second)
      return step_fail("format",
                       fmt::format("columns of the CSV have the same name (the second one is column {})", i + 1));
  }
  return {};
}

class CsvRows final : public RowReader {
 public:
  CsvRows(std::unique_ptr<ByteReader> source, Options options)
      : source_(std::move(source)), options_(std::move(options)), parser_(options_.dialect) {}

  StepResult<void> begin() {
    Record names = options_.columns;
    if (options_.header) {
      SP_TRY(auto header, read_record());
      if (!header) return step_fail("format", "the CSV is empty: it has no header");
      names = *std::move(header);
    }
    SP_CHECK(check_names(names));
    width_ = names.size();
    return options_.header && !options_.columns.empty() ? select(names) : take_all(std::move(names));
  }

  const std::vector<std::string>& columns() const override { return columns_; }

  StepResult<std::optional<Value>> next() override {
    SP_TRY(auto record, read_record());
    if (!record) return std::nullopt;
    if (record->size() != width_) {
      const auto place = parser_.place();
      return step_fail("format",
                       fmt::format("the CSV is wrong in record {}, which begins in line {}: it has {} fields, not {}",
                                   place.record, place.line, record->size(), width_));
    }
    ValueMap row;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      auto& field = (*record)[places_[i]];
      const bool is_null = options_.empty_is_null && field.empty() && !parser_.was_quoted(places_[i]);
      row.emplace(keys_[i], is_null ? Value() : Value(std::move(field)));
    }
    return Value(std::move(row));
  }

 private:
  StepResult<void> take_all(Record names) {
    columns_ = std::move(names);
    for (std::size_t i = 0; i < columns_.size(); ++i) places_.push_back(i);
    return make_keys();
  }

  StepResult<void> select(const Record& header) {
    columns_ = options_.columns;
    for (const auto& name : columns_) {
      const auto it = std::ranges::find(header, name);
      if (it == header.end())
        return step_fail("format", fmt::format("the header of the CSV has no column \"{}\"", name));
      places_.push_back(static_cast<std::size_t>(it - header.begin()));
    }
    return make_keys();
  }

  StepResult<void> make_keys() {
    for (const auto& name : columns_) keys_.emplace_back(name);
    return {};
  }

  StepResult<std::optional<Record>> read_record() {
    for (;;) {
      SP_TRY(auto record, parser_.next());
      if (record || ended_) return record;
      std::array<std::byte, 65536> buffer;
      SP_TRY(const auto got, source_->read(buffer));
      if (got == 0) {
        ended_ = true;
        parser_.finish();
      } else {
        feed(std::span(buffer).first(got));
      }
    }
  }

  void feed(std::span<const std::byte> bytes) {
    if (options_.encoding == Encoding::utf8) return parser_.feed(bytes);
    std::string text;
    append_utf8(text, bytes, options_.encoding);
    parser_.feed(as_bytes(text));
  }

  std::unique_ptr<ByteReader> source_;
  Options options_;
  CsvParser parser_;
  bool ended_ = false;
  std::size_t width_ = 0;
  std::vector<std::string> columns_;
  std::vector<Value> keys_;
  std::vector<std::size_t> places_;
};

}  // namespace

StepResult<std::unique_ptr<RowReader>> CsvFormat::open(const Handle& handle, Bodies& bodies) const {
  SP_TRY(auto options, read_options(handle));
  const auto source = handle.attributes.find(Value("source"));
  if (source == handle.attributes.end() || !source->second.is(Value::Kind::handle))
    return step_fail("invalid", "rows of the format csv lack their source");
  SP_TRY(auto bytes, bodies.open_bytes(source->second.as_handle()));
  auto rows = std::make_unique<CsvRows>(std::move(bytes), std::move(options));
  SP_CHECK(rows->begin());
  return rows;
}

}  // namespace sallyport::connectors::csv
