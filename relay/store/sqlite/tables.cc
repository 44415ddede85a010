#include "relay/store/sqlite/tables.h"

namespace sallyport::store::sqlite {
namespace {

Result<std::vector<std::string>> names(Database& db, std::string_view sql, const std::string& table) {
  return db.prepare(sql, table).all([](Row row) { return row.text(); });
}

bool is_parent_of_any(const Table& table, const std::vector<Table>& tables) {
  return std::ranges::any_of(tables, [&](const Table& other) {
    return other.name != table.name && std::ranges::find(other.parents, table.name) != other.parents.end();
  });
}

}  // namespace

Result<std::vector<Table>> tables_children_first(Database& db) {
  std::vector<Table> left;
  SP_TRY(const auto found, db.prepare("select name from sqlite_master where type = 'table' and name not like "
                                      "'sqlite\\_%' escape '\\' order by name")
                               .all([](Row row) { return row.text(); }));
  for (const auto& name : found) {
    Table table{.name = name, .columns = {}, .key = {}, .parents = {}};
    SP_TRY(table.columns, names(db, "select name from pragma_table_info(?) order by cid", name));
    SP_TRY(table.key, names(db, "select name from pragma_table_info(?) where pk > 0 order by pk", name));
    SP_TRY(table.parents, names(db, "select distinct \"table\" from pragma_foreign_key_list(?)", name));
    left.push_back(std::move(table));
  }
  std::vector<Table> ordered;
  while (!left.empty()) {
    const auto next = std::ranges::find_if(left, [&](const Table& table) { return !is_parent_of_any(table, left); });
    if (next == left.end()) return fail(Errc::internal, "tables refer to each other in a circle");
    ordered.push_back(std::move(*next));
    left.erase(next);
  }
  return ordered;
}

}  // namespace sallyport::store::sqlite
