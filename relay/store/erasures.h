#pragma once

#include "relay/store/audit_note.h"
#include "relay/store/page.h"
#include "relay/store/users.h"
#include "shared/base/clock.h"
#include "shared/crypto/new_id.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {
using ErasureId = Id<struct ErasureTag>;  // era_
namespace crypto {
template <>
struct IdPrefix<ErasureId> {
  static constexpr std::string_view text = "era_";
};
}  // namespace crypto
}  // namespace sallyport

namespace sallyport::store {

enum class ErasedSubject { person, organisation };
constexpr std::string_view to_string(ErasedSubject subject) {
  return subject == ErasedSubject::person ? "person" : "organisation";
}

struct Erasure {
  ErasureId id;
  ErasedSubject subject = ErasedSubject::person;
  OrgId org;
  UserId person;         // empty of an organisation
  std::string asked_by;  // as the audit ledger writes it: "token:tok_..."
  WallTime asked_at;
  std::string keys = {};  // canonical JSON of what was destroyed of keys; empty until then
  std::optional<WallTime> finished_at = {};
  std::string receipt = {};  // signed JSON; empty until it is finished
};

struct ErasedOrganisation {
  ErasureId erasure;
  OrgId org;
};

struct ErasedRows {
  std::string table;
  std::uint64_t amount = 0;
};

// Objects in archives.
struct ErasedObjects {
  std::uint64_t all = 0;
  std::uint64_t left = 0;  // not removed yet
};

// The end of a ledger's chain.
struct LedgerHead {
  std::uint64_t seq = 0;
  Bytes hash;
};

struct ReceiptKey {
  std::string id;
  Bytes public_key;
  Bytes sealed_private_key;  // by the envelope, of the system's own organisation
  WallTime created_at;
};

// What becomes of the rows that tell of a person, found by their id. Also what an export of a person is made of.
enum class Fate {
  removed,  // the row goes
  blanked,  // the columns that tell of the person are emptied
  named,    // the random id stays and names nobody any more
};
struct PersonTrace {
  std::string_view table;
  std::string_view where;  // SQL over ?1 the organisation and ?2 the user's id
  Fate fate = Fate::named;
  std::string_view blanked = {};  // column
};
std::span<const PersonTrace> person_traces();
// Tables with rows of an organisation that its erasure leaves, each with the reason.
struct LeftTable {
  std::string_view table;
  std::string_view why;
};
std::span<const LeftTable> tables_left();

// Erasures of people and organisations: begun in one transaction, which also makes what begins useless, then rows in
// small ones, and finished with a receipt. Whoever is cut short goes on with unfinished().
class Erasures {
 public:
  virtual ~Erasures() = default;
  // Removes the user with their tokens and the answers kept for them, as Users::remove. From then on nothing that tells
  // of the person is written. Also of one who was removed before, as long as the ledger tells of that. not_found: there
  // was no such person, or they are erased. conflict: the last owner, or the deployment's last platform admin.
  virtual awaitable<Result<UserChange>> begin_person(Erasure erasure, AuditNote<UserChange> note = {}) = 0;
  // Its tokens and enrolment tokens go, its agents and their certificates are revoked. not_found: no such organisation.
  // conflict: it is being erased already, a platform admin is of it, or its id is an earlier erasure's.
  virtual awaitable<Result<void>> begin_organisation(Erasure erasure, AuditNote<> note = {}) = 0;
  virtual awaitable<Result<Erasure>> find(ErasureId id) = 0;         // system-wide
  virtual awaitable<Result<std::vector<Erasure>>> unfinished() = 0;  // system-wide; oldest first
  // Organisations that are erased to the end, so that keys.db must have no key of them.
  virtual awaitable<Result<std::vector<ErasedOrganisation>>> without_keys() = 0;  // system-wide
  virtual awaitable<Result<void>> note_keys(ErasureId id, std::string keys) = 0;
  // Removes or blanks at most `limit` rows, those that others refer to last; how many there were. 0: all are gone.
  virtual awaitable<Result<std::size_t>> erase_some(Erasure erasure, std::size_t limit) = 0;
  virtual awaitable<Result<std::vector<ErasedRows>>> rows(ErasureId id) = 0;  // so far, by table
  // Of the objects in archives that the rows told of: how many are to be removed, and still to be.
  virtual awaitable<Result<ErasedObjects>> objects(ErasureId id) = 0;
  virtual awaitable<Result<void>> finish(ErasureId id, WallTime at, std::string receipt) = 0;

  virtual awaitable<Result<LedgerHead>> head(OrgId ledger) = 0;
  virtual awaitable<Result<std::optional<ReceiptKey>>> receipt_key(std::string id = {}) = 0;  // "": the newest
  // Where `after` is the id of the newest, or empty and there is none. Else the one that came meanwhile stays.
  virtual awaitable<Result<void>> add_receipt_key(ReceiptKey key, std::string after = {}) = 0;
};

}  // namespace sallyport::store
