#include "relay/domain/fields.h"
#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_key_store.h"
#include "relay/store/sqlite/sqlite_store.h"
#include "tests/contract/store/world.h"

#include <algorithm>
#include <set>

// The databases as they are against the table of classified fields.
using namespace sallyport;
using namespace sallyport::test;
using store::sqlite::Access;
using store::sqlite::Database;
using store::sqlite::Row;

namespace {

// Both migrated databases, which the test may spoil.
struct Schemas {
  TempFolder folder;
  Database data = made<store::SqliteStore>("relay.db");
  Database keys = made<store::SqliteKeyStore>("keys.db");

  template <class Engine>
  Database made(const std::string& name) {
    must(Engine::open({.file = folder / name}));
    return must(Database::open(folder / name, Access::read_write));
  }

  std::set<std::string> stored_fields() {
    std::set<std::string> names;
    for (auto* database : {&data, &keys}) {
      auto columns = database->prepare(
          "select t.name || '.' || c.name from sqlite_master t, pragma_table_xinfo(t.name) c "
          "where t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'");
      for (auto& name : must(columns.all([](Row row) { return row.text(); }))) names.insert(std::move(name));
    }
    return names;
  }

  // In the database that has the table; "" when neither has the column.
  std::string type_of(const domain::Field& field) {
    for (auto* database : {&data, &keys}) {
      auto found =
          database->prepare("select lower(type) from pragma_table_xinfo(?) where name = ?", field.table, field.column);
      if (auto type = must(found.maybe([](Row row) { return row.text(); }))) return *type;
    }
    return "";
  }
};

std::set<std::string> classified_fields() {
  std::set<std::string> names;
  for (const auto& field : domain::fields()) names.insert(std::string(field.table) + "." + std::string(field.column));
  return names;
}

std::set<std::string> only_in(const std::set<std::string>& some, const std::set<std::string>& others) {
  std::set<std::string> left;
  std::ranges::set_difference(some, others, std::inserter(left, left.end()));
  return left;
}

using Names = std::set<std::string>;

}  // namespace

TEST_CASE("every column of the databases is classified, and nothing else is", "[store][fields]") {
  Schemas schemas;
  CHECK(only_in(schemas.stored_fields(), classified_fields()) == Names{});
  CHECK(only_in(classified_fields(), schemas.stored_fields()) == Names{});
}

TEST_CASE("a table or column that nobody has classified is noticed, and one that is gone", "[store][fields]") {
  Schemas schemas;
  must(
      schemas.data.script("create table planted (org text not null, diary text) strict;"
                          "alter table users add column passport text;"
                          "alter table history drop column reason"));
  must(schemas.keys.script("alter table ratchets add column next blob"));
  CHECK(only_in(schemas.stored_fields(), classified_fields()) ==
        Names{"planted.diary", "planted.org", "ratchets.next", "users.passport"});
  CHECK(only_in(classified_fields(), schemas.stored_fields()) == Names{"history.reason"});
  CHECK(domain::class_of("planted", "diary") == FieldClass::secret);
}

TEST_CASE("what is secret is a blob in the databases", "[store][fields]") {
  Schemas schemas;
  for (const auto& field : domain::fields()) {
    if (field.is != FieldClass::secret) continue;
    INFO(field.table << "." << field.column);
    CHECK(schemas.type_of(field) == "blob");
  }
}
