#pragma once

#include "relay/keys/anchor.h"
#include "relay/keys/file_provider.h"
#include "relay/keys/layered_envelope.h"
#include "relay/store/sqlite/sqlite_key_store.h"
#include "shared/crypto/aead.h"
#include "tests/support/async_test.h"
#include "tests/support/pki.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace sallyport::test {

// The keys of a relay, over files of their own in a folder that is there. Opened again, the same keys.
struct KeyRing {
  KeyRing(const boost::asio::any_io_executor& executor, const std::filesystem::path& folder, const Clock& clock,
          store::JobKeys& job_keys, keys::Provider* other = nullptr, std::function<WallTime()> earliest = {},
          store::KeyWitnesses* witnesses = nullptr, std::chrono::seconds life = keys::kKeyLife)
      : memory(must(keys::LockedMemory::make())),
        own_provider(must(keys::FileProvider::make(folder / "master.key", fixed_key()))),
        provider(other != nullptr ? *other : own_provider),
        store(must(store::SqliteKeyStore::open({.file = folder / "keys.db"}))),
        anchor(found(folder, clock)),
        hierarchy(executor, {.store = store->keys(),
                             .provider = provider,
                             .anchor = anchor,
                             .memory = *memory,
                             .clock = clock,
                             .earliest = std::move(earliest),
                             .life = life,
                             .witnesses = witnesses}),
        envelope(hierarchy, job_keys) {}

  static Secret fixed_key() { return Secret::take(std::string(crypto::kAeadKeySize, 'k')); }

  std::unique_ptr<keys::LockedMemory> memory;
  keys::FileProvider own_provider;
  keys::Provider& provider;
  std::unique_ptr<store::SqliteKeyStore> store;
  keys::Anchor anchor;
  keys::Hierarchy hierarchy;
  keys::LayeredEnvelope envelope;

 private:
  keys::Anchor found(const std::filesystem::path& folder, const Clock& clock) {
    if (!std::filesystem::exists(folder / "anchor")) {
      must(keys::Anchor::make(folder / "anchor"));
      run(make_first(clock));
    }
    return must(keys::Anchor::open(folder / "anchor", *memory, store->epoch_at_open()));
  }
  boost::asio::awaitable<void> make_first(const Clock& clock) {
    must(co_await keys::Hierarchy::found(store->keys(), provider, clock));
  }
};

}  // namespace sallyport::test
