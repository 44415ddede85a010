#include "relay/store/audit_log.h"
#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

using Whose = StandingColumn::Whose;

bool has_any(const StandingColumn& column, const OrgId& org) {
  return column.whose == Whose::organisation || org == system_ledger();
}

std::string second_of(const StandingColumn& column) {
  return column.second.empty() ? "''" : std::string(column.second);
}

// The organisation is the first parameter.
std::string_view of_organisation(const StandingColumn& column) {
  return column.whose == Whose::organisation ? "r.org = ?1" : "?1 is not null";
}

std::string version_of(const StandingColumn& column) {
  if (column.version_in.empty()) return "0";
  return fmt::format("(select v.version from {} v where v.org = r.org and v.name = r.{})", column.version_in,
                     column.first);
}

Result<std::vector<StandingRecord>> find_others(Database& db, const OrgId& org, const Bytes& head,
                                                const StandingPlace& after, std::uint64_t limit) {
  const auto& column = standing_columns()[after.column];
  const auto second = second_of(column);
  const auto sql = fmt::format(
      "select {0}, {1}, {2}, {3} from {4} r where {5} and ({0}, {1}) > (?2, ?3) and substr({3}, 1, length(?4)) <> ?4 "
      "order by {0}, {1} limit ?5",
      column.first, second, version_of(column), column.column, column.table, of_organisation(column));
  return db.prepare(sql, org, after.first, after.second, head, limit).all([&](Row row) {
    StandingPlace at{after.column, row.text(), row.text()};
    auto record = column.record(at.first, at.second, row.u64());
    return StandingRecord{std::move(at), std::move(record), row.bytes()};
  });
}

Result<std::uint64_t> count_others(Database& db, const StandingColumn& column, const OrgId& org, const Bytes& head,
                                   std::uint64_t most) {
  const auto sql =
      fmt::format("select count(*) from (select 1 from {} r where {} and substr({}, 1, length(?2)) <> ?2 limit ?3)",
                  column.table, of_organisation(column), column.column);
  return db.prepare(sql, org, head, most).one("fields", [](Row row) { return row.u64(); });
}

Result<std::int64_t> put(Database& db, const OrgId& org, const ResealedRecord& record) {
  const auto& [at, name, before] = record.before;
  const auto& column = standing_columns()[at.column];
  if (!has_any(column, org)) return 0;
  const auto sql = fmt::format("update {0} as r set {1} = ?2 where {2} and {3} = ?3 and {4} = ?4 and {1} = ?5",
                               column.table, column.column, of_organisation(column), column.first, second_of(column));
  return db.run(sql, org, record.sealed, at.first, at.second, before);
}

class SqliteStandingRecords final : public StandingRecords {
 public:
  explicit SqliteStandingRecords(Engine& engine) : engine_(engine) {}

  awaitable<Result<std::vector<StandingRecord>>> not_under(OrgId org, Bytes head, StandingPlace after,
                                                           std::size_t limit) override {
    return engine_.read([org, head = std::move(head), after = std::move(after),
                         limit](Database& db) -> Result<std::vector<StandingRecord>> {
      std::vector<StandingRecord> found;
      for (auto from = after; from.column < standing_columns().size(); from = {from.column + 1}) {
        if (found.size() >= limit) break;
        if (!has_any(standing_columns()[from.column], org)) continue;
        SP_TRY(auto more, find_others(db, org, head, from, limit - found.size()));
        std::ranges::move(more, std::back_inserter(found));
      }
      return found;
    });
  }

  awaitable<Result<std::uint64_t>> count_not_under(OrgId org, Bytes head, std::size_t most) override {
    return engine_.read([org, head = std::move(head), most](Database& db) -> Result<std::uint64_t> {
      std::uint64_t count = 0;
      for (const auto& column : standing_columns()) {
        if (!has_any(column, org) || count >= most) continue;
        SP_TRY(const auto more, count_others(db, column, org, head, most - count));
        count += more;
      }
      return count;
    });
  }

  awaitable<Result<std::size_t>> reseal(OrgId org, std::vector<ResealedRecord> records) override {
    return engine_.write([org, records = std::move(records)](Database& db) -> Result<std::size_t> {
      std::size_t stood = 0;
      for (const auto& record : records) {
        SP_TRY(const auto changed, put(db, org, record));
        stood += static_cast<std::size_t>(changed);
      }
      return stood;
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<StandingRecords> make_standing_records(Engine& engine) {
  return std::make_unique<SqliteStandingRecords>(engine);
}

}  // namespace sallyport::store::sqlite
