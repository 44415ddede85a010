#include "relay/store/sqlite/key_census.h"

#include "relay/store/sqlite/key_witness_rows.h"

#include <utility>

namespace sallyport::store {

using sqlite::Access;
using sqlite::Database;
using sqlite::Row;

namespace {

// `what` is told when `read(database)` fails.
template <class Read>
auto read_from(const std::filesystem::path& file, std::string_view what, Read read)
    -> decltype(read(std::declval<Database&>())) {
  auto all = [&]() -> decltype(read(std::declval<Database&>())) {
    SP_TRY(Database database, Database::open(file, Access::read_only));
    SP_CHECK(database.script("pragma query_only = on; pragma temp_store = memory; pragma busy_timeout = 5000"));
    return read(database);
  }();
  if (!all) return in_context(std::string(what), {Errc::unavailable, all.error().message});
  return all;
}

}  // namespace

Result<std::vector<NeededHour>> count_needed_hours(const std::filesystem::path& file) {
  return read_from(file, "which hours' keys are needed cannot be read", [](Database& database) {
    return database
        .prepare("select org, kind, hours, hour, count(*) from job_keys group by org, kind, hours, hour order by hour")
        .all([](Row row) {
          auto org = row.id<OrgId>();
          auto kind = row.text();
          const auto hours = row.u32();
          const Hour hour = row.integer();
          return NeededHour{std::move(org), {std::move(kind), hours}, hour, row.integer()};
        });
  });
}

Result<std::vector<WitnessedKeys>> read_key_witnesses(const std::filesystem::path& file) {
  return read_from(
      file, "which keys are needed cannot be read", [](Database& database) -> Result<std::vector<WitnessedKeys>> {
        SP_TRY(const auto known,
               database.prepare("select 1 from sqlite_master where type = 'table' and name = 'key_witnesses'")
                   .maybe([](Row) { return 0; }));
        if (!known) return std::vector<WitnessedKeys>();
        return database.prepare(sqlite::witness_query("order by org")).all(sqlite::read_witness);
      });
}

Result<std::map<OrgId, std::string>> read_organisation_names(const std::filesystem::path& file) {
  return read_from(file, "organisations' names cannot be read",
                   [](Database& database) -> Result<std::map<OrgId, std::string>> {
                     SP_TRY(auto rows, database.prepare("select id, name from organisations").all([](Row row) {
                       auto org = row.id<OrgId>();
                       return std::pair(std::move(org), row.text());
                     }));
                     return std::map<OrgId, std::string>(rows.begin(), rows.end());
                   });
}

}  // namespace sallyport::store
