#include "agent/connectors/csv/csv_writer.h"

#include <algorithm>
#include <array>

namespace sallyport::connectors::csv {
namespace {

// The signs that begin a formula, also in their full width, as East Asian keyboards have them (U+FF1D, 0B, 0D, 20).
constexpr std::array<std::string_view, 11> kSigns{
    "=", "+", "-", "@", "\t", "\r", "\n", "\xEF\xBC\x9D", "\xEF\xBC\x8B", "\xEF\xBC\x8D", "\xEF\xBC\xA0"};

// A sign, digits with a point or comma, an exponent: what a database gives as text because it is exact.
bool is_number(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789";
  const auto take_digits = [&] {
    const auto count = std::min(text.find_first_not_of(kDigits), text.size());
    text.remove_prefix(count);
    return count > 0;
  };
  const auto take_one_of = [&](std::string_view characters) {
    const bool there = !text.empty() && characters.contains(text.front());
    if (there) text.remove_prefix(1);
    return there;
  };
  take_one_of("+-");
  if (!take_digits()) return false;
  if (take_one_of(".,") && !take_digits()) return false;
  if (!take_one_of("eE")) return text.empty();
  take_one_of("+-");
  return take_digits() && text.empty();
}

bool runs_as_formula(std::string_view text) {
  const auto seen = text.substr(std::min(text.find_first_not_of(' '), text.size()));
  return std::ranges::any_of(kSigns, [&](auto sign) { return seen.starts_with(sign); }) && !is_number(text);
}

}  // namespace

void CsvWriter::append_field(std::string& out, std::string_view text, std::string_view guard) const {
  const auto needs_quotes = [this](char c) { return c == delimiter_ || c == '"' || c == '\r' || c == '\n'; };
  const bool blank_first = guard.empty() && text.starts_with(' ');
  if (!text.empty() && !blank_first && !text.ends_with(' ') && std::ranges::none_of(text, needs_quotes)) {
    out.append(guard).append(text);
    return;
  }
  out.append("\"").append(guard);
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void CsvWriter::append_value(std::string& out, const Value& value, std::string_view text) const {
  const bool guarded = guard_ == FormulaGuard::on && value.is(Value::Kind::string) && runs_as_formula(text);
  append_field(out, text, guarded ? "'" : "");
}

void CsvWriter::append_names(std::string& out, std::span<const std::string> names) const {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += delimiter_;
    append_field(out, names[i]);
  }
  out += "\r\n";
}

StepResult<void> CsvWriter::append_row(std::string& out, const WrittenColumns& columns, const Value& row) const {
  const auto begin = out.size();
  SP_CHECK(columns.each(row, [&](std::size_t i, const Value* value) -> StepResult<void> {
    if (i > 0) out += delimiter_;
    if (value == nullptr || value->is_null()) return {};
    if (value->is(Value::Kind::string)) {
      append_value(out, *value, value->as_string());
    } else {
      SP_TRY(const auto text, cell_text(*value));
      append_value(out, *value, text);
    }
    return {};
  }));
  if (out.size() == begin) out += "\"\"";  // one null: an empty line would be skipped when it is read
  out += "\r\n";
  return {};
}

}  // namespace sallyport::connectors::csv
