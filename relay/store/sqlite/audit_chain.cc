#include "relay/store/sqlite/audit_chain.h"

#include "relay/store/sqlite/noted.h"

namespace sallyport::store::sqlite {

AuditRow read_audit_row(Row row) {
  return {.seq = row.u64(),
          .event = {.id = row.id<EventId>(), .at = row.time(), .json = row.text()},
          .previous_hash = row.bytes(),
          .hash = row.bytes()};
}

Result<AuditHead> read_audit_head(Database& db, const OrgId& ledger) {
  SP_TRY(auto head,
         db.prepare("select seq, hash, cut_seq, cut_hash from audit_heads where org = ?", ledger).maybe([](Row row) {
           AuditHead read;
           read.end.seq = row.u64();
           read.end.hash = row.bytes();
           read.cut.seq = row.u64();
           read.cut.hash = row.bytes();
           return read;
         }));
  return head.value_or(AuditHead{});
}

Result<std::vector<AuditRow>> audit_rows_after(Database& db, const OrgId& ledger, std::uint64_t seq,
                                               std::size_t limit) {
  return db
      .prepare(select(kAuditColumns, "from audit_rows where org = ? and seq > ? order by seq limit ?"), ledger, seq,
               std::uint64_t{limit})
      .all(read_audit_row);
}

std::string chain_fault(const AuditRow& row, const AuditCut& before) {
  if (row.seq != before.seq + 1) return "a row before it is missing";
  if (row.previous_hash != before.hash) return "it does not continue the row before it";
  if (row.hash != chain_hash(row.previous_hash, row.seq, row.event)) return "its content was changed";
  return {};
}

Result<AuditRow> append_audit_row(Database& db, const OrgId& ledger, const AuditEvent& event) {
  SP_TRY(const AuditHead head, read_audit_head(db, ledger));
  AuditRow row{.seq = head.end.seq + 1, .event = event, .previous_hash = head.end.hash, .hash = {}};
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

}  // namespace sallyport::store::sqlite
