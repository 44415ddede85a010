#pragma once

#include "agent/connectors/row_writing.h"

#include <span>
#include <string>
#include <string_view>

namespace sallyport::connectors::csv {

// How cells are written. With the guard, a text that a spreadsheet would run as a formula (it begins with = + - @, also
// of full width or after blanks, with a tab or a line break) gets an apostrophe in front; numbers stay, also as text.
enum class FormulaGuard { off, on };

// Records as RFC 4180 writes them: CRLF ends, quotes where needed, doubled inside. No IO.
// Null is nothing at all and an empty text `""`, but a record of one column cannot tell them apart: both are `""`.
// Lists and maps are JSON text, bytes base64. A handle is class "invalid".
class CsvWriter {
 public:
  CsvWriter(char delimiter, FormulaGuard guard) : delimiter_(delimiter), guard_(guard) {}

  void append_names(std::string& out, std::span<const std::string> names) const;
  // The values of `row` (a map); a missing one is empty.
  StepResult<void> append_row(std::string& out, const WrittenColumns& columns, const Value& row) const;

 private:
  void append_value(std::string& out, const Value& value, std::string_view text) const;
  void append_field(std::string& out, std::string_view text, std::string_view guard = {}) const;
  char delimiter_;
  FormulaGuard guard_;
};

}  // namespace sallyport::connectors::csv
