#pragma once

#include "shared/base/result.h"
#include "shared/base/value.h"

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::cli {

enum class Format { table, json, yaml };

Result<Format> parse_format(std::string_view text);

// A column of a table: its title and the member it shows ("created_at"; "steps.total" for a nested one).
struct Column {
  std::string_view title;
  std::string_view member;
};

// Rows of maps as an aligned table; control characters of values are made visible, so that data cannot steer a
// terminal.
std::string table_of(const ValueList& rows, const std::vector<Column>& columns);

// The members of one map, a line each.
std::string card_of(const Value& map, const std::vector<Column>& columns);

// Block-style YAML of a JSON-like value; strings are quoted whenever plain style could be read as something else.
std::string yaml_of(const Value& value);

// What a cell shows: text as it is, null as "-", anything else as JSON; made safe for a terminal.
std::string cell_of(const Value* value);
std::string terminal_safe(std::string_view text);

}  // namespace sallyport::cli
