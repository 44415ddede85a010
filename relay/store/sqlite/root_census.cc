#include "relay/store/sqlite/root_census.h"

#include "relay/store/sqlite/database.h"

namespace sallyport::store {
namespace {

using sqlite::Access;
using sqlite::Database;
using sqlite::Row;

constexpr std::string_view kOfOtherRoots =
    "from agents a where a.status = 'active' "
    "and not exists (select 1 from certificates c where c.org = a.org and c.agent = a.id "
    "and c.generation = a.generation and c.root_pin = ?) "
    "and exists (select 1 from certificates c where c.org = a.org and c.agent = a.id "
    "and c.generation >= a.generation and c.revoked_at is null and c.not_after > ?)";

Result<RootCensus> count(Database& database, const Bytes& root_pin, WallTime now, std::size_t most_named) {
  SP_CHECK(database.script("pragma query_only = on; pragma temp_store = memory; pragma busy_timeout = 5000; begin"));
  RootCensus census;
  const auto counting = "select count(*) " + std::string(kOfOtherRoots);
  SP_TRY(census.agents, database.prepare(counting, root_pin, now).one("count", [](Row row) { return row.integer(); }));
  const auto naming = "select a.org, a.id, a.name " + std::string(kOfOtherRoots) + " order by a.org, a.name limit ?";
  SP_TRY(census.named, database.prepare(naming, root_pin, now, std::uint64_t{most_named}).all([](Row row) {
    return AgentOfOtherRoot{.org = row.id<OrgId>(), .id = row.id<AgentId>(), .name = row.text()};
  }));
  SP_TRY(census.issuers, database.prepare("select org, certificate_der from issuing_cas order by org").all([](Row row) {
    return IssuingCaCertificate{.org = row.id<OrgId>(), .certificate_der = row.bytes()};
  }));
  return census;
}

}  // namespace

Result<RootCensus> count_other_roots(const std::filesystem::path& file, const Bytes& root_pin, WallTime now,
                                     std::size_t most_named) {
  auto census = [&]() -> Result<RootCensus> {
    SP_TRY(Database database, Database::open(file, Access::read_only));
    return count(database, root_pin, now, most_named);
  }();
  if (!census) {
    return fail(Errc::unavailable, file.string() + ": the relay's agents cannot be counted (" + census.error().message +
                                       "): use the program of the same version as the relay");
  }
  return census;
}

}  // namespace sallyport::store
