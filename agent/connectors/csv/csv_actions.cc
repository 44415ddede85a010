#include "agent/connectors/csv/csv_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/csv/csv_parser.h"
#include "agent/connectors/csv/csv_rows.h"
#include "agent/connectors/csv/csv_writer.h"
#include "agent/connectors/row_writing.h"

namespace sallyport::connectors::csv {
namespace {

class CsvRead final : public Action {
 public:
  explicit CsvRead(Site site) : site_(site) {}
  std::string_view name() const override { return "csv.read@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(auto source, arguments.handle("source"));
    Handle rows{"rows", ValueMap{{Value("format"), Value("csv")}, {Value("source"), Value(std::move(source))}}};
    for (const char* option : {"delimiter", "quote", "comment", "skip", "header", "columns", "encoding", "empty"}) {
      if (const auto* value = arguments.find(option)) rows.attributes.insert_or_assign(Value(option), *value);
    }
    SP_TRY(const auto reader, CsvFormat().open(rows, context.bodies));
    return Output{Value(rows_output(std::move(rows), reader->columns(), arguments.integer_or("batch", kDefaultBatch)))};
  }

 private:
  Site site_;
};

class CsvWrite final : public Action {
 public:
  explicit CsvWrite(Site site) : site_(site) {}
  std::string_view name() const override { return "csv.write@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(const auto* rows, arguments.any("rows"));
    SP_TRY(const auto reader, open_argument_rows(*rows, context.bodies));
    SP_TRY(const auto columns, WrittenColumns::of(arguments, *reader));
    SP_TRY(const char delimiter, parse_delimiter(arguments.text_or("delimiter", ",")));
    const CsvWriter writer(delimiter, arguments.is_true("formula_guard") ? FormulaGuard::on : FormulaGuard::off);
    RowText text{.head = {},
                 .append = [&](std::string& out, const Value& row) { return writer.append_row(out, columns, row); }};
    if (!columns.names.empty()) writer.append_names(text.head, columns.names);
    SP_TRY(const auto spool, context.bodies.new_spool("text/csv"));
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
  actions.push_back(std::make_unique<CsvRead>(site));
  actions.push_back(std::make_unique<CsvWrite>(site));
  return actions;
}

}  // namespace sallyport::connectors::csv
