#include "agent/connectors/row_writing.h"

#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::connectors {
namespace {

constexpr std::size_t kPiece = 64u << 10;

}  // namespace

StepResult<std::vector<std::string>> name_list(const Arguments& arguments, std::string_view name) {
  std::vector<std::string> names;
  const auto* list = arguments.find(name);
  if (list == nullptr || !list->is(Value::Kind::list)) return names;
  for (const auto& element : list->as_list()) {
    if (!element.is(Value::Kind::string)) return step_fail("invalid", fmt::format("`{}` must be names", name));
    names.push_back(element.as_string());
  }
  return names;
}

StepResult<WrittenColumns> WrittenColumns::of(const Arguments& arguments, const RowReader& rows) {
  WrittenColumns columns;
  const bool chosen = arguments.find("columns") != nullptr;
  columns.extra = chosen ? Extra::drop : Extra::refuse;
  columns.names = rows.columns();
  if (chosen) {
    SP_TRY(columns.names, name_list(arguments, "columns"));
  }
  columns.keys.assign(columns.names.begin(), columns.names.end());
  return columns;
}

std::unexpected<StepError> WrittenColumns::not_a_column() {
  return step_fail("invalid",
                   "a row has a column that is not among the columns that are written; name them all in `columns`");
}

StepResult<std::string> cell_text(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::string: return value.as_string();
    case Value::Kind::handle: return step_fail("invalid", "a body cannot be the value of a column");
    case Value::Kind::bytes: return base64(value.as_bytes());
    case Value::Kind::list:
    case Value::Kind::map: return to_json(value);
    default: {  // a number or a word, or a JSON string of it without anything to escape
      const auto text = to_json(value);
      return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
    }
  }
}

StepResult<std::int64_t> write_rows(const Site& site, const StepContext& context, RowReader& rows, const RowText& text,
                                    BodyWriter& into) {
  const auto limits = site.policy.limits(context.connection);
  std::string piece = text.head;
  std::uint64_t bytes = 0;
  for (std::int64_t count = 0;; ++count) {
    SP_TRY(const auto row, rows.next());
    if (row && std::cmp_equal(count, limits.rows))
      return step_fail("too_large",
                       fmt::format("more than {} rows, the limit of the local policy (limits.rows)", limits.rows));
    if (row) SP_CHECK(text.append(piece, *row));
    if (row && piece.size() < kPiece) continue;
    if (!row) piece += text.tail;
    SP_CHECK(check_going_on(site, context));
    bytes += piece.size();
    if (bytes > limits.bytes)
      return step_fail("too_large",
                       fmt::format("more than {} bytes, the limit of the local policy (limits.bytes)", limits.bytes));
    SP_CHECK(into.write(as_bytes(piece)));
    piece.clear();
    if (!row) return count;
  }
}

}  // namespace sallyport::connectors
