#pragma once

#include "relay/store/key_copies.h"
#include "relay/store/key_store.h"
#include "relay/store/sqlite/sqlite_store.h"

#include <cstdint>
#include <memory>

namespace sallyport::store {

// keys.db: a SQLite file of its own, so that what is copied with the data is never what opens it.
class SqliteKeyStore {
 public:
  // As SqliteStore::open.
  static Result<std::unique_ptr<SqliteKeyStore>> open(const SqliteOptions& options);
  // Waits for the calls under way, refuses the rest. Must come before the end of its callers' loops.
  ~SqliteKeyStore();

  KeyStore& keys();
  KeyCopies& copies();
  // Of a keys.db whose ratchets no anchor opens any more: without lanes, at `epoch`. Hours that had a key get none
  // again. How many those were.
  awaitable<Result<std::uint64_t>> begin_lanes_anew(std::uint64_t epoch);
  // Of a keys.db that takes the place of a newer one: what given_up() says from then on, and hours without a key.
  awaitable<Result<void>> give_up(std::vector<TenantKeyPlace> versions, std::vector<GivenUpHour> hours = {});
  awaitable<Result<void>> add_restore_notes(std::vector<RestoreNote> notes);  // their ids are given anew
  // internal: SQLite finds it damaged.
  awaitable<Result<void>> check();
  std::uint64_t epoch_at_open() const { return epoch_; }  // of the anchor

 private:
  struct Impl;
  SqliteKeyStore(std::unique_ptr<Impl> impl, std::uint64_t epoch);
  std::unique_ptr<Impl> impl_;
  std::uint64_t epoch_;
};

}  // namespace sallyport::store
