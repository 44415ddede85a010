#pragma once

#include "relay/keys/anchor.h"
#include "relay/keys/attachment_keys.h"
#include "relay/keys/key_cache.h"
#include "relay/keys/known_keys.h"
#include "relay/keys/provider.h"
#include "relay/store/key_store.h"
#include "relay/store/key_witnesses.h"
#include "shared/async/event.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sallyport::keys {

// How long a key may be used after where the one at the top is kept gave it: so a revocation counts within 300 s, with
// the sweep's 30.
inline constexpr std::chrono::seconds kKeyLife{270};
inline constexpr std::chrono::seconds kKeySweep{30};
inline constexpr std::size_t kMostHeld = 10'000;        // keys in memory
inline constexpr std::chrono::seconds kFailureLife{5};  // a key that could not be had is not asked for again at once

// The global key, unwrapped by the provider; under it, and under the key of its attachment where it has attached a key
// of its own, each organisation's master key; under that and the lane's ratchet a key for each hour (docs/envelope.md,
// docs/keys.md). Unwraps what is asked for, makes what is made lazily, and keeps
// keys unwrapped for kKeyLife. One executor.
//
// Errors of all: not_found: shredded, or lost and given up. unavailable: a key above cannot be had, whatever keeps it
// away; also one that keys.db must hold and does not.
class Hierarchy {
 public:
  // The first global key of a new store. Errc::conflict: it has one.
  static boost::asio::awaitable<Result<void>> found(store::KeyStore& store, Provider& provider, const Clock& clock);

  struct Parts {
    store::KeyStore& store;
    Provider& provider;
    Anchor& anchor;
    LockedMemory& memory;
    const Clock& clock;
    std::function<WallTime()> earliest = {};  // what time it is at the earliest; empty: `clock` is right
    // After each turn of the anchor, while keys.db and the old anchor are still there: then a backup can be made that
    // belongs to the new one.
    std::function<boost::asio::awaitable<void>()> before_forgetting = {};
    std::chrono::seconds life = kKeyLife;  // at most that
    Metrics* metrics = nullptr;
    // Before anybody is told of a new version of a key or of a change of an attachment, and before anything is sealed
    // under that version: then a backup can be made that has it.
    std::function<boost::asio::awaitable<void>()> after_change = {};
    store::KeyWitnesses* witnesses = nullptr;  // what keys.db must hold; nullptr: whatever is there is all there was
  };
  struct HourKey {
    HeldKey key;
    store::Hour hour = 0;
  };

  Hierarchy(const boost::asio::any_io_executor& executor, Parts parts)
      : parts_(std::move(parts)),
        executor_(executor),
        anchor_rests_(executor),
        cache_(kMostHeld, parts_.metrics != nullptr ? std::optional<CacheFigures>(*parts_.metrics) : std::nullopt) {
    anchor_rests_.set();
  }

  boost::asio::awaitable<Result<HeldKey>> global(std::uint32_t version = 0);  // 0: the newest
  // 0: the newest; the first is made when it is asked for.
  boost::asio::awaitable<Result<HeldKey>> tenant(OrgId org, std::uint32_t version = 0);
  // Whether the newest key that was used can be had now; none is made. Of OrgId(): the global key. An error: why not.
  boost::asio::awaitable<Result<void>> expect_usable(OrgId org);
  // The first version, or the oldest that is left when that was lost and given up. not_found: there is none.
  boost::asio::awaitable<Result<HeldKey>> oldest_tenant(OrgId org);
  boost::asio::awaitable<Result<HeldKey>> hour(OrgId org, store::RetentionLane lane, store::Hour hour);
  // The key for what is written at that hour; of a lane that was shredded beyond it (a clock went back) that of its
  // first hour; where the hour's key was given up, that of the next that has or gets one.
  boost::asio::awaitable<Result<HourKey>> hour_for_writing(OrgId org, store::RetentionLane lane, store::Hour hour);

  // Any key below: what is held by that name, or what `fetch` gives, which runs once for all who ask meanwhile.
  using Fetch = std::function<boost::asio::awaitable<Result<HeldKey>>()>;
  boost::asio::awaitable<Result<HeldKey>> held(std::string name, Fetch fetch);

  // Makes the lanes' keys before these hours unrecoverable: with it they are shredded. How many hours had one. Lanes
  // that have had none for a year are forgotten.
  struct Shred {
    OrgId org;
    store::RetentionLane lane;
    store::Hour before = 0;
  };
  boost::asio::awaitable<Result<std::size_t>> shred(std::vector<Shred> shreds);
  // Again, when the anchor before this one could not be overwritten.
  Result<void> forget_old_anchor();
  // When no turn is under way: whether none but the present anchor is on the disk. An error: the one before still is.
  boost::asio::awaitable<Result<void>> settled();
  // Makes every key of the organisation unrecoverable, and it never gets one again: reading and writing of it is
  // Errc::forbidden or not_found from then on. Again: what the first time destroyed.
  boost::asio::awaitable<Result<store::ErasedKeys>> erase(OrgId org);

  // A new version; what is written from now on is sealed under it. Whatever is under older ones stays readable. Their
  // numbers.
  boost::asio::awaitable<Result<std::uint32_t>> rotate_global();
  boost::asio::awaitable<Result<std::uint32_t>> rotate_tenant(OrgId org);
  // Wraps organisations' keys that are under an older global key under the newest: of a batch of at most `limit`, those
  // that can be had.
  struct Rewrapped {
    std::size_t keys = 0;
    std::size_t damaged = 0;                    // that do not open: they stay where they are
    std::optional<store::TenantKeyPlace> next;  // where the next batch begins; nothing: that was the last
  };
  boost::asio::awaitable<Result<Rewrapped>> rewrap_tenants(std::size_t limit, store::TenantKeyPlace after = {});
  // Wraps every version of the organisation's key under the newest global key and the key of `to`, or under the global
  // key alone, and makes a version that was never wrapped in another way. `from` is the key of the attachment that
  // stands, `row` what is stored of `to`. conflict: another one stands.
  struct Attached {
    HeldKey key;
    store::OwnKey row;
  };
  boost::asio::awaitable<Result<void>> change_attachment(OrgId org, std::optional<HeldKey> from,
                                                         std::optional<Attached> to);
  // Without the key of the attachment that stands, which cannot be had: every version of the organisation's key that
  // is under it is given up, with all that was sealed under them, and a new one is under the global key alone.
  // conflict: as above.
  boost::asio::awaitable<Result<void>> give_up_attachment(OrgId org, std::uint32_t version);
  // What a change that was told to have failed, and stands all the same, leaves to be done.
  boost::asio::awaitable<void> settle_change(OrgId org);
  store::KeyWitnesses* witnesses() { return parts_.witnesses; }
  AttachmentKeys& attachments() { return attachments_; }
  // All keys of the organisation that are in memory, but the attachment's.
  void forget(const OrgId& org);
  // Wraps every global key by another provider, which is to be used from the next start.
  boost::asio::awaitable<Result<std::size_t>> rewrap_globals(Provider& next);

  // Forgets what has been held for too long; asks to be called every kKeySweep.
  void sweep();
  LockedMemory& memory() { return parts_.memory; }
  std::chrono::seconds life() const { return parts_.life; }
  const Clock& clock() const { return parts_.clock; }

 private:
  struct Flight {
    explicit Flight(const boost::asio::any_io_executor& executor) : done(executor) {}
    Event done;
    std::optional<Result<HeldKey>> outcome;
  };
  struct Failure {
    Error error;
    SteadyTime until;
  };
  struct OpenRatchet {
    store::Hour position = 0;
    LockedKey key;
  };

  boost::asio::awaitable<Result<HeldKey>> fetch_global(std::uint32_t version);
  boost::asio::awaitable<Result<LockedKey>> unwrap_global(store::KeyVersion version);
  boost::asio::awaitable<Result<KnownKeys>> read_known(OrgId org);
  boost::asio::awaitable<Result<KnownKeys>> known_keys(OrgId org);
  boost::asio::awaitable<Result<store::KeyWitness>> witness_of(OrgId org);
  boost::asio::awaitable<Result<void>> witness_version(OrgId org, store::KeyWitness witness, std::uint32_t version);
  struct TenantParents {
    HeldKey global;
    std::optional<HeldKey> attachment;
  };
  boost::asio::awaitable<Result<TenantParents>> parents_of(const OrgId& org, std::uint32_t global, std::uint32_t own);
  Result<Bytes> wrap_under(const TenantParents& above, std::string_view name, const LockedKey& key);
  Result<LockedKey> unwrap_under(const TenantParents& above, std::string_view name, const Bytes& wrapped);
  boost::asio::awaitable<Result<void>> rewrap_tenant(store::TenantKey key, const HeldKey& to);
  boost::asio::awaitable<Result<std::vector<store::KeyVersion>>> wrapped_anew(KnownKeys known,
                                                                              std::optional<HeldKey> from,
                                                                              TenantParents to);
  boost::asio::awaitable<Result<HeldKey>> fetch_tenant(OrgId org, std::uint32_t version);
  boost::asio::awaitable<Result<store::KeyVersion>> make_tenant(KnownKeys known);
  Result<store::KeyVersion> new_version(const KnownKeys& known, const TenantParents& above);
  boost::asio::awaitable<Result<store::KeyVersion>> make_global(KnownKeys known);
  boost::asio::awaitable<Result<HeldKey>> fetch_hour(OrgId org, store::RetentionLane lane, store::Hour hour);
  boost::asio::awaitable<Result<HeldKey>> make_hour(OrgId org, store::RetentionLane lane, store::Hour hour);
  boost::asio::awaitable<Result<HeldKey>> open_hour(OrgId org, store::RetentionLane lane, store::Hour hour,
                                                    store::HourKey wrapped);
  boost::asio::awaitable<Result<std::optional<OpenRatchet>>> ratchet(OrgId org, store::RetentionLane lane);
  Result<store::Ratchet> new_ratchet(const OrgId& org, const store::RetentionLane& lane, store::Hour hour,
                                     OpenRatchet& opened);
  boost::asio::awaitable<Result<LockedKey>> advance(LockedKey from, store::Hour steps);
  // What the anchor turns for.
  struct Reason {
    std::vector<Shred> shreds = {};
    std::optional<OrgId> erased = {};
  };
  boost::asio::awaitable<Result<std::size_t>> turn_until_done(Reason why);
  boost::asio::awaitable<Result<std::size_t>> turn(Reason why);
  boost::asio::awaitable<Result<store::Turn>> next_turn(const LockedKey& next, Reason why);
  void forget(const std::vector<Shred>& shreds);
  boost::asio::awaitable<void> back_up();
  SteadyTime now() const { return parts_.clock.steady(); }
  WallTime earliest() const { return parts_.earliest ? parts_.earliest() : clock().wall(); }

  Parts parts_;
  boost::asio::any_io_executor executor_;
  Event anchor_rests_;  // it does not turn
  KeyCache cache_;
  AttachmentKeys attachments_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
  std::map<std::string, Failure> failures_;
};

}  // namespace sallyport::keys
