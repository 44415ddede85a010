#pragma once

#include "relay/store/audit_log.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {

inline constexpr std::string_view kAuditColumns = "seq, id, at, json, previous_hash, hash";
AuditRow read_audit_row(Row row);  // of kAuditColumns

// Kept apart from the chain: its two ends.
struct AuditHead {
  AuditCut end;  // the newest row
  AuditCut cut;
};
Result<AuditHead> read_audit_head(Database& db, const OrgId& ledger);

Result<std::vector<AuditRow>> audit_rows_after(Database& db, const OrgId& ledger, std::uint64_t seq, std::size_t limit);

// Why `row` does not follow `before`; empty when it does.
std::string chain_fault(const AuditRow& row, const AuditCut& before);

}  // namespace sallyport::store::sqlite
