#include "relay/store/sqlite/witness_census.h"

#include "relay/store/sqlite/key_witness_rows.h"

namespace sallyport::store {

using sqlite::Access;
using sqlite::Database;
using sqlite::Row;

Result<std::vector<WitnessedKeys>> read_key_witnesses(const std::filesystem::path& file) {
  auto all = [&]() -> Result<std::vector<WitnessedKeys>> {
    SP_TRY(Database database, Database::open(file, Access::read_only));
    SP_CHECK(database.script("pragma query_only = on; pragma temp_store = memory; pragma busy_timeout = 5000"));
    SP_TRY(
        const auto known,
        database.prepare("select 1 from sqlite_master where type = 'table' and name = 'key_witnesses'").maybe([](Row) {
          return 0;
        }));
    if (!known) return std::vector<WitnessedKeys>();
    return database.prepare(sqlite::witness_query("order by org")).all(sqlite::read_witness);
  }();
  if (!all) return in_context("which keys are needed cannot be read", {Errc::unavailable, all.error().message});
  return all;
}

}  // namespace sallyport::store
