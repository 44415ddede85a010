#pragma once

#include "relay/app/settings.h"
#include "relay/keys/anchor.h"
#include "relay/keys/locked_memory.h"
#include "relay/keys/provider.h"
#include "relay/store/sqlite/sqlite_key_store.h"

#include <memory>

namespace sallyport::app {

// What the keys of a relay rest on, opened. Outlives whatever uses a key; the loop outlives it.
struct KeyRing {
  std::unique_ptr<keys::LockedMemory> memory;
  std::shared_ptr<keys::Provider> provider;
  std::unique_ptr<store::SqliteKeyStore> store;
  keys::Anchor anchor;
};

// Whether every ratchet opens under this key of an anchor. Epochs alone do not tell: those of another anchor may be the
// same.
store::awaitable<Result<bool>> opens_ratchets(store::KeyStore& store, keys::LockedMemory& memory,
                                              const keys::LockedKey& anchor);

// The folder keys/ of a new data directory: master key, keys.db with the first global key, anchor.
Result<void> make_keys(const DataDirectory& data, const Clock& clock);

// not_found: the folder keys/ is missing, and what to do then.
Result<void> expect_key_folder(const DataDirectory& data);

// The folder of keys.db's backups: the one in keys/ is made, another one must be there. invalid: it lies among the
// data, whose backups would take it along. forbidden: others get in. Blocking.
Result<std::filesystem::path> open_key_backups(const DataDirectory& data, const Settings& settings);

// invalid: the anchor does not open what is sealed under it.
store::awaitable<Result<void>> prove_anchor(KeyRing& keys, DataDirectory data);

// Reads what it needs to ask where the master key is kept; nobody is asked yet.
Result<KeyRing> open_keys(const DataDirectory& data, const KeySettings& settings, const Clock& clock);

}  // namespace sallyport::app
