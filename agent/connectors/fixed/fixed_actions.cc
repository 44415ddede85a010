#include "agent/connectors/fixed/fixed_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/decode.h"
#include "agent/connectors/fixed/fixed_layout.h"
#include "agent/connectors/fixed/fixed_rows.h"
#include "agent/connectors/row_writing.h"
#include "agent/connectors/rows.h"

#include <fmt/format.h>

namespace sallyport::connectors::fixed {
namespace {

class FixedRead final : public Action {
 public:
  explicit FixedRead(Site site) : site_(site) {}
  std::string_view name() const override { return "fixed.read@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_CHECK(arguments.handle("source"));
    Handle rows{"rows", ValueMap{{Value("format"), Value(FixedFormat::kName)}}};
    for (const char* option : {"source", "columns", "records", "length", "skip", "encoding", "empty"}) {
      if (const auto* value = arguments.find(option)) rows.attributes.insert_or_assign(Value(option), *value);
    }
    SP_TRY(const auto reader, FixedFormat().open(rows, context.bodies));
    return Output{Value(rows_output(std::move(rows), reader->columns(), arguments.integer_or("batch", kDefaultBatch)))};
  }

 private:
  Site site_;
};

std::string separator_of(const Arguments& arguments) {
  const auto word = arguments.text_or("separator", "lf");
  if (word == "none") return "";
  return word == "crlf" ? "\r\n" : "\n";
}

// Writes records; what does not fit is an error and never cut.
class RecordWriter {
 public:
  RecordWriter(const std::vector<FixedColumn>& columns, Encoding encoding, std::string separator)
      : columns_(columns), encoding_(encoding), separator_(std::move(separator)) {
    for (const auto& column : columns) written_.names.push_back(column.name);
    written_.keys.assign(written_.names.begin(), written_.names.end());
  }

  StepResult<void> append(std::string& out, const Value& row) const {
    std::size_t at = 0;
    SP_CHECK(written_.each(row, [&](std::size_t i, const Value* value) -> StepResult<void> {
      out.append(columns_[i].begin - at, ' ');
      at = columns_[i].end();
      SP_TRY(const auto field, field_of(i, value));
      out += field;
      return {};
    }));
    out += separator_;
    return {};
  }

 private:
  StepResult<std::string> field_of(std::size_t column, const Value* value) const {
    const auto wrong = [&](std::string_view why) {
      return step_fail("invalid", fmt::format("a value of column {} {}", column + 1, why));
    };
    std::string text;
    if (value != nullptr && !value->is_null()) {
      SP_TRY(text, cell_text(*value));
    }
    if (!separator_.empty() && text.find_first_of("\r\n") != std::string::npos) return wrong("has a line break");
    const auto field = padded(text, columns_[column]);
    if (!field) return wrong(fmt::format("is longer than {} characters", columns_[column].width));
    auto bytes = encoded(*field, encoding_);
    if (!bytes) return wrong("has a character that the `encoding` lacks");
    return *std::move(bytes);
  }

  const std::vector<FixedColumn>& columns_;
  Encoding encoding_;
  std::string separator_;
  WrittenColumns written_;
};

class FixedWrite final : public Action {
 public:
  explicit FixedWrite(Site site) : site_(site) {}
  std::string_view name() const override { return "fixed.write@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto* rows, arguments.any("rows"));
    SP_TRY(const auto columns, read_layout(arguments));
    SP_CHECK(check_in_order(columns));
    const auto encoding = parse_encoding(arguments.text_or("encoding", "utf-8"));
    if (!encoding) return step_fail("invalid", "`encoding` must be utf-8, iso-8859-1 or windows-1252");
    SP_TRY(const auto reader, open_argument_rows(*rows, context.bodies));
    const RecordWriter writer(columns, *encoding, separator_of(arguments));
    const RowText text{.head = {},
                       .append = [&](std::string& out, const Value& row) { return writer.append(out, row); }};
    SP_TRY(const auto spool, context.bodies.new_spool("text/plain"));
    SP_TRY(const auto count, write_rows(site_, context, *reader, text, *spool));
    SP_TRY(auto file, spool->commit({}));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(file))}, {Value("count"), Value(count)}})};
  }

 private:
  Site site_;
};

}  // namespace

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  actions.push_back(std::make_unique<FixedRead>(site));
  actions.push_back(std::make_unique<FixedWrite>(site));
  return actions;
}

}  // namespace sallyport::connectors::fixed
