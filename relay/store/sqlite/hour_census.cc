#include "relay/store/sqlite/hour_census.h"

#include "relay/store/sqlite/database.h"

namespace sallyport::store {

using sqlite::Access;
using sqlite::Database;
using sqlite::Row;

Result<std::vector<NeededHour>> count_needed_hours(const std::filesystem::path& file) {
  auto hours = [&]() -> Result<std::vector<NeededHour>> {
    SP_TRY(Database database, Database::open(file, Access::read_only));
    SP_CHECK(database.script("pragma query_only = on; pragma temp_store = memory; pragma busy_timeout = 5000"));
    return database
        .prepare("select org, kind, hours, hour, count(*) from job_keys group by org, kind, hours, hour order by hour")
        .all([](Row row) {
          auto org = row.id<OrgId>();
          auto kind = row.text();
          const auto hours = row.u32();
          const Hour hour = row.integer();
          return NeededHour{std::move(org), {std::move(kind), hours}, hour, row.integer()};
        });
  }();
  if (!hours)
    return in_context("which hours' keys are needed cannot be read", {Errc::unavailable, hours.error().message});
  return hours;
}

}  // namespace sallyport::store
