#include "agent/connectors/csv/csv_writer.h"

#include "shared/base/json.h"

#include <fmt/format.h>

namespace sallyport::connectors::csv {
namespace {

bool runs_as_formula(std::string_view text) {
  return !text.empty() && std::string_view("=+-@\t\r").contains(text.front());
}

StepResult<std::string> cell_text(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::string: return value.as_string();
    case Value::Kind::handle: return step_fail("invalid", "a body cannot be a value in a CSV");
    case Value::Kind::bytes: return base64(value.as_bytes());
    case Value::Kind::list:
    case Value::Kind::map: return to_json(value);
    default: {  // a number or a word, or a JSON string of it without anything to escape
      const auto text = to_json(value);
      return text.starts_with('"') ? text.substr(1, text.size() - 2) : text;
    }
  }
}

}  // namespace

void CsvWriter::append_field(std::string& out, std::string_view text) const {
  const bool plain = !text.empty() && text.find_first_of("\"\r\n") == std::string_view::npos &&
                     text.find(delimiter_) == std::string_view::npos && !text.starts_with(' ') && !text.ends_with(' ');
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void CsvWriter::append_names(std::string& out, std::span<const std::string> names) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += delimiter_;
    append_field(out, names[i]);
  }
  out += "\r\n";
}

StepResult<void> CsvWriter::append_row(std::string& out, std::span<const Value> columns, const Value& row) const {
  const auto& values = row.as_map();
  std::size_t used = 0;
  const auto begin = out.size();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) out += delimiter_;
    const auto it = values.find(columns[i]);
    if (it == values.end()) continue;
    ++used;
    if (it->second.is_null()) continue;
    SP_TRY(auto text, cell_text(it->second));
    if (guard_ == FormulaGuard::on && it->second.is(Value::Kind::string) && runs_as_formula(text))
      text.insert(0, 1, '\'');
    append_field(out, text);
  }
  if (extra_ == Extra::refuse && used != values.size())
    return step_fail("invalid",
                     "a row has a column that is not among the columns of the CSV; name them all in `columns`");
  if (out.size() == begin) out += "\"\"";  // one null: an empty line would be skipped when it is read
  out += "\r\n";
  return {};
}

}  // namespace sallyport::connectors::csv
