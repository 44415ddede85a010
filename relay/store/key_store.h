#pragma once

#include "relay/store/job_keys.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::store {

// One version of a key, wrapped by the one above it.
struct KeyVersion {
  std::uint32_t version = 0;  // from 1
  std::uint32_t under = 0;    // version of the global key that wraps it; 0: where the key at the top is kept
  Bytes wrapped;
  WallTime created_at;
  std::uint32_t own = 0;  // of an organisation's key: version of the attachment whose key wraps it too; 0: none does
};

struct TenantKey {
  OrgId org;
  KeyVersion key;
};

struct LaneId {
  OrgId org;
  RetentionLane lane;

  friend auto operator<=>(const LaneId&, const LaneId&) = default;
};

// A version of an organisation's key, and where it stands in the order of all of them.
struct TenantKeyPlace {
  OrgId org;
  std::uint32_t version = 0;
};

// The key of its own that an organisation has attached.
struct OwnKey {
  std::uint32_t version = 0;  // of the attachment, from 1; no later one has it again
  std::string kind;
  std::string place;  // which key that is, as JSON; no credentials
  Bytes credentials;  // for it, sealed; empty: it needs none
  Bytes wrapped;      // the attachment's key, by the organisation's own
  WallTime attached_at;
  std::optional<WallTime> refused_since = {};  // it could not be had when it was asked for last, and why
  std::string reason = {};
};
struct AttachedKey {
  OrgId org;
  OwnKey key;
};

// From one attachment to another, or to none.
struct OwnKeyChange {
  std::uint32_t from = 0;        // version of the one that stands; 0: none
  std::optional<OwnKey> to;      // nothing: detached
  std::vector<KeyVersion> keys;  // every version of the organisation's key, wrapped anew, and new ones after them
  std::size_t known = 0;         // how many there are already
  // Those that there are cannot be unwrapped any more: they go, and are given up; `keys` are new ones only. The keys of
  // hours under them stay, which nothing opens, until their time is over.
  bool gives_up = false;
};

// How far the keys of a lane have been shredded: hours before `position` have no key any more. `sealed` is the secret
// from which those of `position` and later can be unwrapped, under the anchor of its epoch (relay/keys/anchor.h).
struct Ratchet {
  OrgId org;
  RetentionLane lane;
  Hour position = 0;
  Bytes sealed;
};

struct HourKey {
  std::uint32_t under = 0;  // version of the organisation's key
  Bytes wrapped;
};

struct NewHourKey {
  RetentionLane lane;
  Hour hour = 0;
  HourKey key;
  std::optional<Ratchet> first = {};  // of a lane that has none yet
  std::uint64_t epoch = 0;            // of the anchor under which `first` is sealed
};

// From one epoch of the anchor to the next: every ratchet, sealed anew, but those of an organisation that is erased.
struct Turn {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::vector<Ratchet> ratchets;
  std::vector<LaneId> ended = {};  // lanes without keys: theirs go
  std::optional<OrgId> erased = {};
};

// An hour of a lane that gets no key again.
struct GivenUpHour {
  OrgId org;
  RetentionLane lane;
  Hour hour = 0;
};

// What a restore of keys.db gave up, for an organisation's ledger; of OrgId(): for the deployment's.
struct RestoreNote {
  std::int64_t id = 0;
  OrgId org;
  std::string detail;  // JSON
};

// What an erased organisation had of keys when they were destroyed.
struct ErasedKeys {
  std::uint64_t versions = 0;  // of its own key
  std::uint64_t lanes = 0;     // and so many ratchets
  std::uint64_t hours = 0;     // hours' keys
  std::uint64_t epoch_before = 0;
  std::uint64_t epoch_after = 0;
};

// A lane with the oldest hour that has a key; none: all are shredded.
struct LaneState {
  OrgId org;
  RetentionLane lane;
  Hour position = 0;
  std::optional<Hour> oldest;
};
struct CountedLane {
  LaneState state;
  std::uint64_t keys = 0;  // that there are
};

// The keys' own database, apart from the data. Wrapped keys only. System-wide where no organisation comes first.
class KeyStore {
 public:
  virtual ~KeyStore() = default;
  virtual awaitable<Result<std::vector<KeyVersion>>> global_keys() = 0;  // oldest first
  virtual awaitable<Result<void>> add_global_key(KeyVersion key) = 0;    // conflict: the version is there
  virtual awaitable<Result<std::vector<KeyVersion>>> tenant_keys(OrgId org) = 0;
  // conflict: the version is there, or another attachment's key than the one that stands wraps it.
  virtual awaitable<Result<void>> add_tenant_key(OrgId org, KeyVersion key) = 0;
  // Versions of the organisation's key up to this one that are not there were lost, and given up (restored). Of
  // OrgId(): of the global key.
  virtual awaitable<Result<std::uint32_t>> given_up(OrgId org) = 0;
  // That no ledger has yet, in order.
  virtual awaitable<Result<std::vector<RestoreNote>>> restore_notes() = 0;
  virtual awaitable<Result<void>> drop_restore_note(std::int64_t id) = 0;
  // The same key, wrapped anew by where the key at the top is kept.
  virtual awaitable<Result<void>> rewrap_global_key(std::uint32_t version, Bytes wrapped) = 0;
  // Keys of any organisation under a global key before `version`, in order from the one after `after`; at most `limit`.
  virtual awaitable<Result<std::vector<TenantKey>>> tenant_keys_before(std::uint32_t version, std::size_t limit,
                                                                       TenantKeyPlace after = {}) = 0;
  // The newest version of each organisation's key, in order from the one after `after`; at most `limit`.
  virtual awaitable<Result<std::vector<TenantKeyPlace>>> newest_tenant_keys(OrgId after, std::size_t limit) = 0;
  // The same key under another version of the global key. conflict: it is not under `from` any more, or another
  // attachment's key wraps it by now.
  virtual awaitable<Result<void>> rewrap_tenant_key(TenantKey key, std::uint32_t from) = 0;

  virtual awaitable<Result<std::vector<AttachedKey>>> own_keys() = 0;  // of all organisations that have one
  virtual awaitable<Result<std::optional<OwnKey>>> own_key(OrgId org) = 0;
  virtual awaitable<Result<std::uint32_t>> last_own_key(OrgId org) = 0;  // version, attached or not; 0: never one
  // In one transaction. conflict: another attachment stands than `from`, or the organisation's key has another number
  // of versions than `known`.
  virtual awaitable<Result<void>> change_own_key(OrgId org, OwnKeyChange change) = 0;
  // Whether it could be had. Nothing, when another one is attached by now.
  virtual awaitable<Result<void>> note_own_key(OrgId org, std::uint32_t version, std::optional<WallTime> refused_since,
                                               std::string reason) = 0;
  // The same credentials for it, sealed anew. conflict: they are not `from` any more.
  virtual awaitable<Result<void>> reseal_credentials(OrgId org, Bytes from, Bytes to) = 0;

  virtual awaitable<Result<std::optional<Ratchet>>> ratchet(OrgId org, RetentionLane lane) = 0;
  virtual awaitable<Result<std::optional<HourKey>>> hour_key(OrgId org, RetentionLane lane, Hour hour) = 0;
  // The key of that hour from now on: the one that is there already, or this. conflict: the anchor has turned, the lane
  // has a ratchet already, or the hour is shredded. not_found: the hour's key was given up.
  virtual awaitable<Result<HourKey>> add_hour_key(OrgId org, NewHourKey key) = 0;

  virtual awaitable<Result<std::uint64_t>> epoch() = 0;  // of the anchor; 0 in a new store
  virtual awaitable<Result<std::vector<Ratchet>>> ratchets() = 0;
  virtual awaitable<Result<std::vector<LaneState>>> lanes() = 0;
  virtual awaitable<Result<std::vector<CountedLane>>> lanes_of(OrgId org) = 0;
  // In one transaction the ratchets of `turn` and its epoch, and every hour key before its lane's position is removed.
  // How many those were. Of an erased organisation every key goes, and it never gets one again: forbidden.
  // conflict: the epoch is not `turn.from`, a ratchet came in meanwhile, or an ended lane has keys.
  virtual awaitable<Result<std::size_t>> turn(Turn turn) = 0;
  virtual awaitable<Result<std::optional<ErasedKeys>>> erased(OrgId org) = 0;  // nothing: it is not erased
};

}  // namespace sallyport::store
