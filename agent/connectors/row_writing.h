#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/bodies.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <functional>
#include <string>
#include <vector>

namespace sallyport::connectors {

// What becomes of a value that is in no column.
enum class Extra { refuse, drop };

// The texts of a list; none when it is absent. Class "invalid" for anything else.
StepResult<std::vector<std::string>> name_list(const Arguments& arguments, std::string_view name);

// The columns that are written, and in which order: those of `columns`, else those of the rows.
struct WrittenColumns {
  std::vector<std::string> names;
  std::vector<Value> keys;  // the same, as a row has them
  Extra extra = Extra::refuse;

  // Class "invalid" when `columns` holds something other than names.
  static StepResult<WrittenColumns> of(const Arguments& arguments, const RowReader& rows);
  // Gives `write` each column's value of a row, nullptr when it has none. Class "invalid" for a value that is in no
  // column, unless those are dropped.
  template <class Write>
  StepResult<void> each(const Value& row, Write write) const {
    const auto& values = row.as_map();
    std::size_t used = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto it = values.find(keys[i]);
      used += it == values.end() ? 0 : 1;
      SP_CHECK(write(i, it == values.end() ? nullptr : &it->second));
    }
    if (extra == Extra::refuse && used != values.size()) return not_a_column();
    return {};
  }

 private:
  static std::unexpected<StepError> not_a_column();
};

// A value as plain text: lists and maps as JSON, bytes in base64. A handle is class "invalid".
StepResult<std::string> cell_text(const Value& value);

// How rows become bytes: what stands before the first and after the last, and each of them.
struct RowText {
  std::string head;
  std::function<StepResult<void>(std::string& out, const Value& row)> append;
  std::string tail = {};
};

// Writes all rows, and gives their number. Class "too_large" beyond the policy's limits of rows and bytes.
StepResult<std::int64_t> write_rows(const Site& site, const StepContext& context, RowReader& rows, const RowText& text,
                                    BodyWriter& into);

}  // namespace sallyport::connectors
