#include "relay/store/audit_cuts.h"

#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/audit_chain.h"
#include "relay/store/sqlite/noted.h"

#include <algorithm>

namespace sallyport::store::sqlite {
namespace {

constexpr std::size_t kRowsPerRead = 500;

// What follows `after` and is old, with whether there may be more of it.
struct OldRows {
  std::vector<AuditRow> rows;
  AuditCut after;
  bool more = false;
};

Result<OldRows> read_old_rows(Database& db, const OrgId& ledger, const AuditCut& after, WallTime before,
                              std::size_t limit) {
  SP_TRY(const AuditHead head, read_audit_head(db, ledger));
  OldRows old{.rows = {},
              .after = std::max(after, head.cut, [](const auto& a, const auto& b) { return a.seq < b.seq; })};
  SP_TRY(old.rows, audit_rows_after(db, ledger, old.after.seq, limit));
  const auto young = std::ranges::find_if(old.rows, [&](const AuditRow& row) { return row.event.at >= before; });
  old.more = young == old.rows.end() && old.rows.size() == limit;
  old.rows.erase(young, old.rows.end());
  return old;
}

bool tells_of_cut(const AuditRow& row) {
  return row.event.json.starts_with(R"({"action":")" + std::string(kLedgerCut) + '"');
}

Result<void> set_cut(Database& db, const OrgId& ledger, const AuditCut& cut) {
  SP_TRY(const auto changed,
         db.run("update audit_heads set cut_seq = ?2, cut_hash = ?3 where org = ?1 and cut_seq < ?2 and exists "
                "(select 1 from audit_rows where org = ?1 and seq = ?2 and hash = ?3)",
                ledger, cut.seq, cut.hash));
  if (changed == 0) return fail(Errc::conflict, "the ledger has no such row any more");
  return {};
}

class SqliteAuditCuts final : public AuditCuts {
 public:
  explicit SqliteAuditCuts(Engine& engine) : engine_(engine) {}

  awaitable<Result<std::vector<OrgId>>> ledgers() override {
    return engine_.read([](Database& db) {
      return db.prepare("select org from audit_heads").all([](Row row) { return row.id<OrgId>(); });
    });
  }

  awaitable<Result<std::optional<DueCut>>> due(OrgId ledger, WallTime before, std::size_t most) override {
    DueCut due;
    bool speaks = false;  // of anything but cuts
    for (bool more = true; more && due.rows < most;) {
      const auto limit = std::min<std::size_t>(kRowsPerRead, most - due.rows);
      const auto old = co_await engine_.read([ledger, after = due.cut, before, limit](Database& db) {
        return read_old_rows(db, ledger, after, before, limit);
      });
      if (!old) co_return std::unexpected(old.error());
      due.cut = old->after;
      for (const auto& row : old->rows) {
        if (!due.bad_seq && !chain_fault(row, due.cut).empty()) due.bad_seq = row.seq;
        speaks = speaks || !tells_of_cut(row);
        due.cut = {row.seq, row.hash};
        ++due.rows;
      }
      more = old->more;
    }
    if (!speaks) co_return std::nullopt;
    co_return due;
  }

  awaitable<Result<void>> cut(OrgId ledger, AuditCut cut, AuditNote<> note) override {
    return write_noted(
        engine_, [ledger, cut = std::move(cut)](Database& db) { return set_cut(db, ledger, cut); }, std::move(note));
  }

  awaitable<Result<std::size_t>> remove(OrgId ledger, std::size_t limit) override {
    return engine_.write([ledger, limit](Database& db) -> Result<std::size_t> {
      SP_TRY(const auto gone,
             db.run("delete from audit_rows where org = ?1 and seq in (select r.seq from audit_rows r join audit_heads "
                    "h on h.org = r.org where r.org = ?1 and r.seq <= h.cut_seq order by r.seq limit ?2)",
                    ledger, std::uint64_t{limit}));
      return static_cast<std::size_t>(gone);
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<AuditCuts> make_audit_cuts(Engine& engine) { return std::make_unique<SqliteAuditCuts>(engine); }

}  // namespace sallyport::store::sqlite
