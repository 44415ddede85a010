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
  std::unique_ptr<keys::Provider> provider;
  std::unique_ptr<store::SqliteKeyStore> store;
  keys::Anchor anchor;
};

// The folder keys/ of a new data directory: master key, keys.db with the first global key, anchor.
Result<void> make_keys(const DataDirectory& data, const Clock& clock);

// Reads what it needs to ask where the master key is kept; nobody is asked yet.
Result<KeyRing> open_keys(const DataDirectory& data, const KeySettings& settings, const Clock& clock);

}  // namespace sallyport::app
