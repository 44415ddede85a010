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

// Rows of maps as an aligned table, made safe for a terminal.
std::string table_of(const ValueList& rows, const std::vector<Column>& columns);

// The members of one map, a line each.
std::string card_of(const Value& map, const std::vector<Column>& columns);

// Block-style YAML of a JSON-like value; strings are quoted whenever plain style could be read as something else.
std::string yaml_of(const Value& value);

// What a cell shows: text as it is, null as "-", anything else as JSON; terminal_safe.
std::string cell_of(const Value* value);

// Foreign text as it may go to a terminal: control characters (C0, DEL, C1), overrides and isolates of the direction of
// writing (U+202A-202E, U+2066-2069) and bytes that are no UTF-8 are made visible, as \x1b or \u009b.
std::string terminal_safe(std::string_view text);
std::string terminal_safe_lines(std::string_view text);  // line ends and tabs stay
// The same for JSON, or YAML of yaml_of: the strings keep their meaning.
std::string terminal_safe_json(std::string_view json);

}  // namespace sallyport::cli
