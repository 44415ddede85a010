#include "agent/connectors/sql/postgres_copy.h"

#include "agent/connectors/sql/postgres_values.h"
#include "shared/base/text.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <charconv>

namespace sallyport::connectors::sql {
namespace {

constexpr std::string_view kName = R"((?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"]|"")+"))";

const RE2& plain_form() {
  static const RE2 form(fmt::format(
      R"((?is)\s*insert\s+into\s+({0}(?:\.{0})*)\s*\(\s*({0}(?:\s*,\s*{0})*)\s*\)\s*values\s*\(\s*(\$\d+(?:\s*,\s*\$\d+)*)\s*\)\s*;?\s*)",
      kName));
  return form;
}

// Escapes what COPY's text format would read as something else (PostgreSQL's manual, COPY, "Text Format").
bool append_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '\0': return false;
      case '\\': out += "\\\\"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      default: out += c;
    }
  }
  return true;
}

bool append_value(std::string& out, const Value& value) {
  if (value.is(Value::Kind::bytes)) {
    out.append("\\\\x").append(hex(value.as_bytes()));
    return true;
  }
  if (value.is(Value::Kind::string)) return append_text(out, value.as_string());
  const auto text = postgres_text(value);
  if (text) return append_text(out, *text);
  out += "\\N";
  return true;
}

}  // namespace

std::optional<PlainInsert> plain_insert(const Statement& statement) {
  PlainInsert insert;
  std::string places;
  if (!RE2::FullMatch(statement.text, plain_form(), &insert.table, &insert.columns, &places)) return std::nullopt;
  for (std::size_t at = places.find('$'); at != std::string::npos; at = places.find('$', at + 1)) {
    std::size_t number = 0;
    std::from_chars(places.data() + at + 1, places.data() + places.size(), number);
    if (number == 0 || number > statement.parameters.size()) return std::nullopt;
    insert.parameters.push_back(number - 1);
  }
  return insert;
}

bool append_copy_row(std::string& out, const PlainInsert& insert, const ValueList& values) {
  bool first = true;
  for (const auto place : insert.parameters) {
    if (!first) out += '\t';
    first = false;
    if (!append_value(out, values[place])) return false;
  }
  out += '\n';
  return true;
}

}  // namespace sallyport::connectors::sql
