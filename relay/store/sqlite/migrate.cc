#include "relay/store/sqlite/migrate.h"

#include <fmt/format.h>

namespace sallyport::store::sqlite {
namespace {

struct Applied {
  int number = 0;
  std::string name;
};

Result<std::vector<Applied>> applied_migrations(Database& database) {
  SP_CHECK(
      database.script("create table if not exists schema_migrations "
                      "(number integer not null primary key, name text not null) strict"));
  return database.prepare("select number, name from schema_migrations order by number").all([](Row row) {
    return Applied{.number = static_cast<int>(row.integer()), .name = row.text()};
  });
}

Result<void> check_known(std::span<const Applied> applied, std::span<const Migration> known) {
  for (const Applied& one : applied) {
    if (static_cast<std::size_t>(one.number) > known.size()) {
      return fail(
          Errc::invalid,
          fmt::format("the database has schema {}, but this program knows only up to {}: run the newer program, "
                      "or restore the backup made before the upgrade",
                      applied.back().number, known.size()));
    }
    if (one.number < 1 || known[static_cast<std::size_t>(one.number) - 1].name != one.name) {
      return fail(Errc::invalid, fmt::format("schema migration {} of the database is not this program's: is this the "
                                             "file of a relay?",
                                             one.number));
    }
  }
  return {};
}

Result<void> apply(Database& database, const Migration& migration) {
  SP_CHECK(database.script(std::string(migration.sql)));
  SP_CHECK(
      database.run("insert into schema_migrations (number, name) values (?, ?)", migration.number, migration.name));
  return {};
}

}  // namespace

Result<std::size_t> migrate(Database& database, std::span<const Migration> migrations) {
  SP_TRY(auto applied, applied_migrations(database));
  SP_CHECK(check_known(applied, migrations));
  for (const Migration& migration : migrations.subspan(applied.size())) {
    SP_CHECK(database.run("begin immediate"));
    auto done = apply(database, migration);
    if (done) {
      SP_CHECK(database.run("commit"));
      continue;
    }
    if (database.in_transaction()) database.run_quietly("rollback");
    return in_context(fmt::format("schema migration {} ({})", migration.number, migration.name), done.error());
  }
  return applied.size();
}

}  // namespace sallyport::store::sqlite
