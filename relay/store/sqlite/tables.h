#pragma once

#include "relay/store/sqlite/database.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::store::sqlite {

// A table as the database has it.
struct Table {
  std::string name;
  std::vector<std::string> columns;
  std::vector<std::string> key;      // columns of its primary key, in order
  std::vector<std::string> parents;  // tables that its rows refer to

  bool has_column(std::string_view column) const { return std::ranges::find(columns, column) != columns.end(); }
};

// Every table of the schema, each before those that it refers to: so rows can be deleted in this order.
Result<std::vector<Table>> tables_children_first(Database& db);

}  // namespace sallyport::store::sqlite
