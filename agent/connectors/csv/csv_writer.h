#pragma once

#include "agent/connectors/step_error.h"
#include "shared/base/value.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::csv {

// How cells are written. With the guard, a text that a spreadsheet would run as a formula (it begins with = + - @, tab
// or carriage return) gets an apostrophe in front; numbers are left as they are.
enum class FormulaGuard { off, on };
// What becomes of a value that is in no column.
enum class Extra { refuse, drop };

// Records as RFC 4180 writes them: CRLF ends, quotes where needed, doubled inside. No IO.
// Null is nothing at all and an empty text `""`, but a record of one column cannot tell them apart: both are `""`.
// Lists and maps are JSON text, bytes base64. A handle is class "invalid".
class CsvWriter {
 public:
  CsvWriter(char delimiter, FormulaGuard guard, Extra extra) : delimiter_(delimiter), guard_(guard), extra_(extra) {}

  void append_names(std::string& out, std::span<const std::string> names) const;
  // The values of `row` (a map) in the order of `columns`; a missing one is empty, one that is no column is dropped or
  // class "invalid".
  StepResult<void> append_row(std::string& out, std::span<const Value> columns, const Value& row) const;

 private:
  void append_field(std::string& out, std::string_view text) const;
  char delimiter_;
  FormulaGuard guard_;
  Extra extra_;
};

}  // namespace sallyport::connectors::csv
