#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/step_error.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::fixed {

enum class Align { left, right };
enum class Trim { yes, no };

// One column of records of fixed width. Places and widths count characters (code points), whatever the encoding.
struct FixedColumn {
  std::string name;
  std::size_t begin = 0;  // from 0
  std::size_t width = 0;
  Align align = Align::left;
  char pad = ' ';
  Trim trim = Trim::yes;

  std::size_t end() const { return begin + width; }
};

inline constexpr std::size_t kMaxColumns = 4096;
inline constexpr std::size_t kMaxRecord = 1u << 20;  // characters

// The argument `columns`: a list of maps with `name`, `width` and, if it is not right after the one before, `start`
// (from 1). Class "invalid" when a name stands twice or the record is longer than kMaxRecord.
StepResult<std::vector<FixedColumn>> read_layout(const Arguments& arguments);
// Class "invalid" unless each begins where the one before ends, or later: what writing needs.
StepResult<void> check_in_order(const std::vector<FixedColumn>& columns);
std::size_t width_of(const std::vector<FixedColumn>& columns);  // of a whole record

// The fields of a record (valid UTF-8), trimmed of their padding where that is wanted: after the text when it is
// aligned left, before it when right; of zeros the last one stays. nullopt when the record is too short.
std::optional<std::vector<std::string>> cut_record(std::string_view record, const std::vector<FixedColumn>& columns);

// `text` padded to the width of its column; nullopt when it is longer.
std::optional<std::string> padded(std::string_view text, const FixedColumn& column);

}  // namespace sallyport::connectors::fixed
