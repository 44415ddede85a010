#include "relay/app/key_ring.h"

#include "relay/app/key_provider.h"
#include "relay/identity/private_file.h"
#include "relay/keys/file_provider.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/master_key.h"
#include "shared/async/run.h"
#include "shared/crypto/aead.h"

#include <boost/asio/io_context.hpp>

namespace sallyport::app {

Result<void> make_keys(const DataDirectory& data, const Clock& clock) {
  SP_CHECK(identity::make_private_directory(data.keys()));
  Secret master = crypto::new_aead_key();
  SP_CHECK(keys::write_key_file(data.master_key(), master, std::nullopt));
  SP_CHECK(keys::Anchor::make(data.anchor()));
  SP_TRY(keys::FileProvider provider, keys::FileProvider::make(data.master_key(), master));
  boost::asio::io_context loop(1);  // outlives the store, whose threads post to it
  SP_TRY(auto store, store::SqliteKeyStore::open({.file = data.key_database()}));
  return run_to_end(loop, keys::Hierarchy::found(store->keys(), provider, clock), "setting up the keys");
}

Result<KeyRing> open_keys(const DataDirectory& data, const KeySettings& settings, const Clock& clock) {
  SP_TRY(auto memory, keys::LockedMemory::make());
  SP_TRY(auto provider, make_provider(data, settings, clock));
  auto store = store::SqliteKeyStore::open({.file = data.key_database(), .when_absent = store::WhenAbsent::refuse});
  if (!store && store.error().code == Errc::not_found) {
    return fail(Errc::not_found, store.error().message +
                                     ": put it back, with the anchor of the same moment; a directory made before there "
                                     "was a keys.db cannot be opened, make a new one");
  }
  if (!store) return std::unexpected(std::move(store).error());
  SP_TRY(auto anchor, keys::Anchor::open(data.anchor(), *memory, (*store)->epoch_at_open()));
  return KeyRing{std::move(memory), std::move(provider), *std::move(store), std::move(anchor)};
}

}  // namespace sallyport::app
