#pragma once

#include "relay/store/page.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::store {

// The ledger of events that belong to no organisation: start-up, enrolment with an unknown token.
inline OrgId system_ledger() { return OrgId("system"); }

// A member of an event's detail that lies beside its row, because it may have to be erased. The row has its commitment
// under "apart", so that the ledger verifies with it and without it.
struct AuditText {
  std::string member;
  UserId person;     // whom it tells of; empty: of nobody who is known
  Bytes salt;        // 32 random bytes: a commitment tells nothing of a text that is gone
  std::string json;  // canonical
};
// base64url(SHA-256) over a fixed label, salt, member and JSON, each with its length.
std::string commitment_of(const AuditText& text);

struct AuditEvent {
  EventId id;
  WallTime at;
  std::string json;  // canonical JSON (RFC 8785) with at least the string members actor, action, target, outcome
  std::vector<AuditText> texts = {};
};
// The event's JSON with its texts in their places in `detail`, and without their commitments.
std::string whole_json(const AuditEvent& event);
// Why the texts do not fit the row; "" when they do. `erased` counts those that are not there.
std::string fault_of_texts(const AuditEvent& event, std::uint64_t& erased);

struct AuditRow {
  std::uint64_t seq = 0;  // from 1 without gaps, per organisation
  AuditEvent event;
  Bytes previous_hash;  // 32 zero bytes for the first
  Bytes hash;
};

// The last row that was cut off at a ledger's old end when its retention was over; 0: none was.
struct AuditCut {
  std::uint64_t seq = 0;
  Bytes hash = Bytes(32);

  friend bool operator==(const AuditCut&, const AuditCut&) = default;
};
// The event that tells of a cut: detail.seq and detail.hash (hexadecimal) are those of the cut.
inline constexpr std::string_view kLedgerCut = "ledger.cut";

struct AuditFilter {
  std::optional<std::string> action;
  std::optional<WallTime> since;
};

struct AuditVerdict {
  std::uint64_t rows = 0;                // checked
  std::uint64_t first_seq = 1;           // rows before it were cut off when their retention was over
  std::uint64_t erased = 0;              // texts of these rows that are not kept any more
  std::optional<std::uint64_t> bad_seq;  // the first row that does not fit; nothing = the chain is whole
  std::string reason;
};

// SHA-256 over a fixed label, the previous hash, seq, id, time and JSON, each with its length; docs of the ledger's
// format.
Bytes chain_hash(std::span<const std::byte> previous_hash, std::uint64_t seq, const AuditEvent& event);

// Append-only, one hash chain per organisation. It has no update and no delete; what is too old is cut off
// (audit_cuts.h).
class AuditLog {
 public:
  virtual ~AuditLog() = default;
  virtual awaitable<Result<AuditRow>> append(OrgId org, AuditEvent event) = 0;
  virtual awaitable<Result<Page<AuditRow>>> list(OrgId org, AuditFilter filter,
                                                 PageQuery page) = 0;  // by time, newest first
  // Walks the whole chain from where it was cut off, and compares its end with the head that is kept apart: edited,
  // deleted, reordered and cut-off rows are found, texts that were edited, and a cut that the chain itself does not
  // tell of. A text that is not there is counted.
  virtual awaitable<Result<AuditVerdict>> verify(OrgId org) = 0;
};

}  // namespace sallyport::store
