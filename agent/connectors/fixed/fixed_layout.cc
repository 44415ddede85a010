#include "agent/connectors/fixed/fixed_layout.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sallyport::connectors::fixed {
namespace {

StepResult<FixedColumn> read_column(const Value& element, std::size_t after, std::size_t number) {
  const auto wrong = [&](std::string_view why) {
    return step_fail("invalid", fmt::format("column {} of `columns` {}", number, why));
  };
  const Arguments arguments(element);
  FixedColumn column;
  SP_TRY(column.name, arguments.text("name"));
  SP_TRY(const auto width, arguments.integer("width"));
  const auto start = arguments.integer_or("start", static_cast<std::int64_t>(after) + 1);
  if (width < 1 || start < 1 || std::cmp_greater(width, kMaxRecord) || std::cmp_greater(start, kMaxRecord))
    return wrong("has a wrong `start` or `width`");
  column.begin = static_cast<std::size_t>(start) - 1;
  column.width = static_cast<std::size_t>(width);
  column.align = arguments.text_or("align", "left") == "right" ? Align::right : Align::left;
  const auto pad = arguments.text_or("pad", " ");
  if (pad.size() != 1 || static_cast<unsigned char>(pad[0]) < 0x20 || static_cast<unsigned char>(pad[0]) > 0x7E)
    return wrong("has a `pad` that is not one printable ASCII character");
  column.pad = pad[0];
  column.trim = arguments.find("trim") == nullptr || arguments.is_true("trim") ? Trim::yes : Trim::no;
  if (column.name.empty()) return wrong("has no name");
  if (column.end() > kMaxRecord) return wrong(fmt::format("ends after {} characters", kMaxRecord));
  return column;
}

// Where code points begin, and the end: characters i to j are [at[i], at[j]).
std::vector<std::size_t> places_of(std::string_view text) {
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) at.push_back(i);
  }
  at.push_back(text.size());
  return at;
}

std::string_view trimmed(std::string_view text, const FixedColumn& column) {
  if (column.trim == Trim::no) return text;
  const bool left = column.align == Align::left;
  const auto keeps_one = column.pad == '0' ? std::size_t{1} : std::size_t{0};
  while (text.size() > keeps_one && (left ? text.back() : text.front()) == column.pad) {
    left ? text.remove_suffix(1) : text.remove_prefix(1);
  }
  return text;
}

}  // namespace

StepResult<std::vector<FixedColumn>> read_layout(const Arguments& arguments) {
  SP_TRY(const auto* list, arguments.any("columns"));
  if (!list->is(Value::Kind::list) || list->as_list().empty() || list->as_list().size() > kMaxColumns)
    return step_fail("invalid", fmt::format("`columns` must be a list of 1 to {} columns", kMaxColumns));
  std::vector<FixedColumn> columns;
  std::set<std::string> names;
  for (const auto& element : list->as_list()) {
    SP_TRY(auto column, read_column(element, columns.empty() ? 0 : columns.back().end(), columns.size() + 1));
    if (!names.insert(column.name).second)
      return step_fail("invalid",
                       fmt::format("column {} of `columns` has the name of another one", columns.size() + 1));
    columns.push_back(std::move(column));
  }
  return columns;
}

StepResult<void> check_in_order(const std::vector<FixedColumn>& columns) {
  for (std::size_t i = 1; i < columns.size(); ++i) {
    if (columns[i].begin < columns[i - 1].end())
      return step_fail("invalid", fmt::format("column {} of `columns` begins before the one before it ends", i + 1));
  }
  return {};
}

std::size_t width_of(const std::vector<FixedColumn>& columns) {
  return std::ranges::max(columns, {}, &FixedColumn::end).end();
}

std::optional<std::vector<std::string>> cut_record(std::string_view record, const std::vector<FixedColumn>& columns) {
  const auto at = places_of(record);
  std::vector<std::string> fields;
  for (const auto& column : columns) {
    if (column.end() >= at.size()) return std::nullopt;
    fields.emplace_back(trimmed(record.substr(at[column.begin], at[column.end()] - at[column.begin]), column));
  }
  return fields;
}

std::optional<std::string> padded(std::string_view text, const FixedColumn& column) {
  const auto length = utf8_length(text);
  if (length > column.width) return std::nullopt;
  const std::string padding(column.width - length, column.pad);
  return column.align == Align::left ? std::string(text) + padding : padding + std::string(text);
}

}  // namespace sallyport::connectors::fixed
