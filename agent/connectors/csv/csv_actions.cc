#include "agent/connectors/csv/csv_actions.h"

#include "agent/connectors/arguments.h"
#include "agent/connectors/csv/csv_parser.h"
#include "agent/connectors/csv/csv_rows.h"
#include "agent/connectors/csv/csv_writer.h"

#include <fmt/format.h>

namespace sallyport::connectors::csv {
namespace {

constexpr std::size_t kWritePiece = 64u << 10;
constexpr std::int64_t kDefaultBatch = 500;

Value name_list(const std::vector<std::string>& names) {
  ValueList list;
  for (const auto& name : names) list.emplace_back(name);
  return Value(std::move(list));
}

class CsvRead final : public Action {
 public:
  explicit CsvRead(Site site) : site_(site) {}
  std::string_view name() const override { return "csv.read@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_CHECK(check_allowed(site_, context, name()));
    SP_TRY(auto source, arguments.handle("source"));
    Handle rows{"rows", ValueMap{{Value("format"), Value("csv")}, {Value("source"), Value(std::move(source))}}};
    for (const char* option : {"delimiter", "header", "columns", "encoding", "empty"}) {
      if (const auto* value = arguments.find(option)) rows.attributes.insert_or_assign(Value(option), *value);
    }
    SP_TRY(const auto reader, CsvFormat().open(rows, context.bodies));
    auto columns = name_list(reader->columns());
    auto output = rows_output(std::move(rows), arguments.integer_or("batch", kDefaultBatch));
    output.insert_or_assign(Value("columns"), std::move(columns));
    return Output{Value(std::move(output))};
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
    SP_TRY(const auto names, column_names(arguments, *reader));
    SP_TRY(const char delimiter, parse_delimiter(arguments.text_or("delimiter", ",")));
    const auto guard = arguments.is_true("formula_guard") ? FormulaGuard::on : FormulaGuard::off;
    const CsvWriter writer(delimiter, guard, arguments.find("columns") != nullptr ? Extra::drop : Extra::refuse);
    SP_TRY(const auto spool, context.bodies.new_spool("text/csv"));
    SP_TRY(const auto count, write_all(context, writer, names, *reader, *spool));
    SP_TRY(auto file, spool->commit({}));
    return Output{Value(ValueMap{{Value("file"), Value(std::move(file))}, {Value("count"), Value(count)}})};
  }

 private:
  static StepResult<std::vector<std::string>> column_names(const Arguments& arguments, const RowReader& reader) {
    const auto* wanted = arguments.find("columns");
    if (wanted == nullptr || !wanted->is(Value::Kind::list)) return reader.columns();
    std::vector<std::string> names;
    for (const auto& name : wanted->as_list()) {
      if (!name.is(Value::Kind::string)) return step_fail("invalid", "`columns` must be names");
      names.push_back(name.as_string());
    }
    return names;
  }

  StepResult<std::int64_t> write_all(const StepContext& context, const CsvWriter& writer,
                                     const std::vector<std::string>& names, RowReader& rows, BodyWriter& spool) const {
    const auto limits = site_.policy.limits(context.connection);
    const std::vector<Value> keys(names.begin(), names.end());
    std::string piece;
    std::uint64_t count = 0, bytes = 0;
    if (!names.empty()) writer.append_names(piece, names);
    for (;; ++count) {
      SP_TRY(const auto row, rows.next());
      if (row && count == limits.rows)
        return step_fail("too_large",
                         fmt::format("more than {} rows, the limit of the local policy (limits.rows)", limits.rows));
      if (row) SP_CHECK(writer.append_row(piece, keys, *row));
      if (row && piece.size() < kWritePiece) continue;
      SP_CHECK(check_going_on(site_, context));
      bytes += piece.size();
      if (bytes > limits.bytes)
        return step_fail("too_large",
                         fmt::format("more than {} bytes, the limit of the local policy (limits.bytes)", limits.bytes));
      SP_CHECK(spool.write(as_bytes(piece)));
      piece.clear();
      if (!row) return static_cast<std::int64_t>(count);
    }
  }

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
