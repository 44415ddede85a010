#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/audit_chain.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <algorithm>

namespace sallyport::store::sqlite {
namespace {

constexpr std::size_t kRowsPerRead = 500;

AuditText read_text(Row row) {
  return {.member = row.text(),
          .person = row.maybe_id<UserId>().value_or(UserId()),
          .salt = row.bytes(),
          .json = row.text()};
}

Result<void> add_texts(Database& db, const OrgId& org, std::vector<AuditRow>& rows) {
  for (auto& row : rows) {
    SP_TRY(row.event.texts, db.prepare("select member, person, salt, json from audit_texts where org = ? and seq = ? "
                                       "order by member",
                                       org, row.seq)
                                .all(read_text));
  }
  return {};
}

Result<Page<AuditRow>> list_rows(Database& db, const OrgId& org, const AuditFilter& filter, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  SP_TRY(const TimeCursor before, read_time_cursor(page.after));
  std::string where =
      fmt::format("from audit_rows indexed by {} where org = ?1 and (at, seq) < (?2, cast(?3 as integer))",
                  filter.action ? "audit_rows_by_action" : "audit_rows_by_age");
  if (filter.action) where += " and action = ?4";
  if (filter.since) where += " and at >= ?5";
  where += " order by at desc, seq desc limit ?6";
  SP_TRY(auto rows, page_of(db.prepare(select(kAuditColumns, where), org, before.at, before.id, filter.action,
                                       filter.since, one_more(limit)),
                            limit, read_audit_row,
                            [](const AuditRow& row) { return time_cursor(row.event.at, std::to_string(row.seq)); }));
  SP_CHECK(add_texts(db, org, rows.items));
  return rows;
}

// Some rows after a point of the chain, or after the cut if that is further, with the head as it was at the same
// moment.
struct Stretch {
  std::vector<AuditRow> rows;
  AuditHead head;
  std::optional<AuditCut> told;  // by the last event of a cut among the rows
};

// What an event says may be anything when somebody forged it: that is no cut.
AuditCut cut_of(const std::optional<std::int64_t>& seq, const std::optional<Bytes>& hash) {
  const auto bytes = hash ? from_hex(as_text(*hash)) : fail(Errc::invalid, "no hash");
  return {static_cast<std::uint64_t>(seq.value_or(0)), bytes.value_or(Bytes())};
}

Result<std::optional<AuditCut>> last_cut_told(Database& db, const OrgId& org, std::uint64_t after, std::uint64_t last) {
  return db
      .prepare(
          "select cast(json ->> '$.detail.seq' as integer), cast(json ->> '$.detail.hash' as blob) from audit_rows "
          "where org = ? and seq > ? and seq <= ? and action = ? order by seq desc limit 1",
          org, after, last, kLedgerCut)
      .maybe([](Row row) {
        const auto seq = row.maybe_integer();
        return cut_of(seq, row.maybe_bytes());
      });
}

Result<Stretch> read_stretch(Database& db, const OrgId& org, std::uint64_t after) {
  Stretch stretch;
  SP_TRY(stretch.head, read_audit_head(db, org));
  after = std::max(after, stretch.head.cut.seq);
  SP_TRY(stretch.rows, audit_rows_after(db, org, after, kRowsPerRead));
  SP_CHECK(add_texts(db, org, stretch.rows));
  if (!stretch.rows.empty()) {
    SP_TRY(stretch.told, last_cut_told(db, org, after, stretch.rows.back().seq));
  }
  return stretch;
}

// Walks a chain stretch by stretch, while it may be cut off behind the walker.
class Walk {
 public:
  std::uint64_t at() const { return end_.seq; }

  // false: the walk is over.
  bool take(Stretch stretch) {
    if (stretch.head.cut.seq > end_.seq) begin_at(stretch.head.cut);
    for (AuditRow& row : stretch.rows) {
      auto fault = chain_fault(row, end_);
      if (fault.empty()) fault = fault_of_texts(row.event, verdict_.erased);
      if (!fault.empty()) return blame(row.seq, std::move(fault));
      end_ = {row.seq, std::move(row.hash)};
      ++verdict_.rows;
    }
    if (stretch.told) told_ = *std::move(stretch.told);
    return stretch.rows.size() == kRowsPerRead || judge_end(stretch.head);
  }
  AuditVerdict verdict() && { return std::move(verdict_); }

 private:
  void begin_at(const AuditCut& cut) {
    end_ = cut;
    verdict_.first_seq = cut.seq + 1;
  }
  bool judge_end(const AuditHead& head) {
    if (end_ != head.end) return blame(end_.seq + 1, "the end of the ledger was cut off or replaced");
    if (told_ != head.cut)
      return blame(head.cut.seq + 1, "rows before it are missing, and no event says that they were cut off");
    return false;
  }
  bool blame(std::uint64_t seq, std::string reason) {
    verdict_.bad_seq = seq;
    verdict_.reason = std::move(reason);
    return false;
  }

  AuditCut end_;
  AuditCut told_;
  AuditVerdict verdict_;
};

class SqliteAuditLog final : public AuditLog {
 public:
  explicit SqliteAuditLog(Engine& engine) : engine_(engine) {}

  awaitable<Result<AuditRow>> append(OrgId org, AuditEvent event) override {
    return engine_.write([org, event = std::move(event)](Database& db) { return append_audit_row(db, org, event); });
  }

  awaitable<Result<Page<AuditRow>>> list(OrgId org, AuditFilter filter, PageQuery page) override {
    return engine_.read([org, filter, page](Database& db) { return list_rows(db, org, filter, page); });
  }

  awaitable<Result<AuditVerdict>> verify(OrgId org) override {
    Walk walk;
    for (bool more = true; more;) {
      const std::uint64_t after = walk.at();
      auto stretch = co_await engine_.read([org, after](Database& db) { return read_stretch(db, org, after); });
      if (!stretch) co_return std::unexpected(stretch.error());
      more = walk.take(*std::move(stretch));
    }
    co_return std::move(walk).verdict();
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<AuditLog> make_audit_log(Engine& engine) { return std::make_unique<SqliteAuditLog>(engine); }

}  // namespace sallyport::store::sqlite
