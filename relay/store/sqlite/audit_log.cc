#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <cstdlib>

namespace sallyport::store::sqlite {
namespace {

constexpr std::size_t kRowsPerRead = 500;
constexpr std::string_view kColumns = "seq, id, at, json, previous_hash, hash";

struct Head {
  std::uint64_t seq = 0;
  Bytes hash = Bytes(32);
};

AuditRow read_row(Row row) {
  return {.seq = row.u64(),
          .event = {.id = row.id<EventId>(), .at = row.time(), .json = row.text()},
          .previous_hash = row.bytes(),
          .hash = row.bytes()};
}

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

Result<Head> read_head(Database& db, const OrgId& org) {
  SP_TRY(auto head, db.prepare("select seq, hash from audit_heads where org = ?", org).maybe([](Row row) {
    return Head{.seq = row.u64(), .hash = row.bytes()};
  }));
  return head.value_or(Head{});
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
  SP_TRY(auto rows, page_of(db.prepare(select(kColumns, where), org, before.at, before.id, filter.action, filter.since,
                                       one_more(limit)),
                            limit, read_row,
                            [](const AuditRow& row) { return time_cursor(row.event.at, std::to_string(row.seq)); }));
  SP_CHECK(add_texts(db, org, rows.items));
  return rows;
}

// Some rows after a point of the chain, with the head as it was at the same moment.
struct Stretch {
  std::vector<AuditRow> rows;
  Head head;
};

Result<Stretch> read_stretch(Database& db, const OrgId& org, std::uint64_t after) {
  Stretch stretch;
  SP_TRY(stretch.head, read_head(db, org));
  SP_TRY(stretch.rows, db.prepare(select(kColumns, "from audit_rows where org = ? and seq > ? order by seq limit ?"),
                                  org, after, static_cast<std::uint64_t>(kRowsPerRead))
                           .all(read_row));
  SP_CHECK(add_texts(db, org, stretch.rows));
  return stretch;
}

// Why `row` does not follow `end`; empty when it does.
std::string fault_of(const AuditRow& row, const Head& end, std::uint64_t& erased) {
  if (row.seq != end.seq + 1) return "a row before it is missing";
  if (row.previous_hash != end.hash) return "it does not continue the row before it";
  if (row.hash != chain_hash(row.previous_hash, row.seq, row.event)) return "its content was changed";
  return fault_of_texts(row.event, erased);
}

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
    AuditVerdict verdict;
    Head end;
    while (true) {
      const std::uint64_t after = end.seq;
      auto stretch = co_await engine_.read([org, after](Database& db) { return read_stretch(db, org, after); });
      if (!stretch) co_return std::unexpected(stretch.error());
      for (AuditRow& row : stretch->rows) {
        if (auto fault = fault_of(row, end, verdict.erased); !fault.empty()) {
          verdict.bad_seq = row.seq;
          verdict.reason = std::move(fault);
          co_return verdict;
        }
        end = {row.seq, std::move(row.hash)};
        ++verdict.rows;
      }
      if (stretch->rows.size() == kRowsPerRead) continue;
      if (end.seq != stretch->head.seq || end.hash != stretch->head.hash) {
        verdict.bad_seq = end.seq + 1;
        verdict.reason = "the end of the ledger was cut off or replaced";
      }
      co_return verdict;
    }
  }

 private:
  Engine& engine_;
};

}  // namespace

Result<AuditRow> append_audit_row(Database& db, const OrgId& ledger, const AuditEvent& event) {
  SP_TRY(Head head, read_head(db, ledger));
  AuditRow row{.seq = head.seq + 1, .event = event, .previous_hash = head.hash, .hash = {}};
  row.hash = chain_hash(row.previous_hash, row.seq, event);
  SP_CHECK(db.run("insert into audit_rows (org, seq, id, at, json, previous_hash, hash) values (?, ?, ?, ?, ?, ?, ?)",
                  ledger, row.seq, event.id, event.at, event.json, row.previous_hash, row.hash));
  SP_CHECK(
      db.run("insert into audit_heads (org, seq, hash) values (?, ?, ?) "
             "on conflict (org) do update set seq = excluded.seq, hash = excluded.hash",
             ledger, row.seq, row.hash));
  for (const AuditText& text : event.texts) {
    SP_CHECK(db.run("insert into audit_texts (org, seq, member, person, salt, json) values (?, ?, ?, ?, ?, ?)", ledger,
                    row.seq, text.member, text.person.empty() ? std::nullopt : std::optional(text.person), text.salt,
                    text.json));
  }
  return row;
}

std::unique_ptr<AuditLog> make_audit_log(Engine& engine) { return std::make_unique<SqliteAuditLog>(engine); }

}  // namespace sallyport::store::sqlite
