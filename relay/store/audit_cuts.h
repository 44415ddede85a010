#pragma once

#include "relay/store/audit_log.h"
#include "relay/store/audit_note.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace sallyport::store {

// Rows at the old end of a ledger whose time is over.
struct DueCut {
  AuditCut cut;            // the youngest of them
  std::uint64_t rows = 0;  // how many
  // The first of them that does not fit into the chain; somebody changed it, and after the cut nobody sees that.
  std::optional<std::uint64_t> bad_seq;
};

// Cuts off the old ends of ledgers: the only way in which rows go. First the cut is set, with its event (kLedgerCut) in
// the same transaction; then the rows before it go, some at a time.
class AuditCuts {
 public:
  virtual ~AuditCuts() = default;
  virtual awaitable<Result<std::vector<OrgId>>> ledgers() = 0;  // system-wide
  // Up to the first row that is not older than `before`, and at most `most` rows. Nothing: none, or none but events of
  // cuts.
  virtual awaitable<Result<std::optional<DueCut>>> due(OrgId ledger, WallTime before, std::size_t most) = 0;
  // conflict: the ledger has no such row any more.
  virtual awaitable<Result<void>> cut(OrgId ledger, AuditCut cut, AuditNote<> note) = 0;
  // Removes rows before the cut, at most `limit`. How many there were.
  virtual awaitable<Result<std::size_t>> remove(OrgId ledger, std::size_t limit) = 0;
};

}  // namespace sallyport::store
