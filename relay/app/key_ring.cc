#include "relay/app/key_ring.h"

#include "relay/app/key_provider.h"
#include "relay/identity/private_file.h"
#include "relay/keys/file_provider.h"
#include "relay/keys/hierarchy.h"
#include "relay/keys/key_names.h"
#include "relay/keys/key_wrap.h"
#include "relay/keys/master_key.h"
#include "relay/keys/private_file.h"
#include "shared/async/run.h"
#include "shared/crypto/aead.h"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>

namespace sallyport::app {

store::awaitable<Result<bool>> opens_ratchets(store::KeyStore& store, keys::LockedMemory& memory,
                                              const keys::LockedKey& anchor) {
  SP_CO_TRY(const auto ratchets, co_await store.ratchets());
  co_return std::ranges::all_of(ratchets, [&](const auto& one) {
    return keys::unwrap_key(memory, {anchor.bytes()}, keys::ratchet_name(one.org, one.lane, one.position), one.sealed)
        .has_value();
  });
}

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
                                     ": put it back, with the anchor of the same moment, or run sallyport-relay keys "
                                     "restore; a directory made before there was a keys.db cannot be opened, make a "
                                     "new one");
  }
  if (!store && store.error().code == Errc::internal) {
    return fail(Errc::internal,
                store.error().message +
                    ": sallyport-relay keys restore does that for keys.db; backups of the data are not of this");
  }
  if (!store) return std::unexpected(std::move(store).error());
  auto anchor = keys::Anchor::open(data.anchor(), *memory, (*store)->epoch_at_open());
  if (!anchor && anchor.error().code == Errc::not_found) {
    return fail(Errc::not_found, anchor.error().message +
                                     ": put the anchor back. When it is lost for good, so is what was sealed for jobs; "
                                     "sallyport-relay keys restore --accept-loss brings back the rest");
  }
  if (!anchor) return std::unexpected(std::move(anchor).error());
  return KeyRing{std::move(memory), std::move(provider), *std::move(store), *std::move(anchor)};
}

store::awaitable<Result<void>> prove_anchor(KeyRing& keys, DataDirectory data) {
  SP_CO_TRY(const bool own, co_await opens_ratchets(keys.store->keys(), *keys.memory, keys.anchor.key()));
  if (own) co_return Result<void>();
  co_return fail(Errc::invalid,
                 data.anchor().string() +
                     ": the anchor of the keys is not the one of keys.db, but of another deployment or "
                     "moment. Put back the one that was there; without it: sallyport-relay keys restore");
}

Result<void> expect_key_folder(const DataDirectory& data) {
  std::error_code problem;
  if (std::filesystem::exists(data.keys(), problem)) return {};
  return fail(Errc::not_found, data.keys().string() +
                                   ": the folder of keys is missing: put it back as it was, with keys.db, anchor and, "
                                   "where it is kept in a file, master.key. When it is lost, make it anew (mode 0700), "
                                   "put master.key into it, and run sallyport-relay keys restore --backup FILE "
                                   "--accept-loss");
}

Result<std::filesystem::path> open_key_backups(const DataDirectory& data, const Settings& settings) {
  SP_CHECK(expect_key_folder(data));
  auto folder = key_backup_folder(data, settings);
  if (settings.key_backups.directory.empty()) SP_CHECK(identity::make_private_directory(folder));
  if (lies_in(folder, data.root) && !lies_in(folder, data.keys())) {
    return fail(Errc::invalid,
                fmt::format("{}: backups of keys.db among the data would be copied with it, and keys that "
                            "are copied with what they open protect nothing: name another directory "
                            "(keys.backups in relay.yaml)",
                            folder.string()));
  }
  auto usable = keys::expect_private_folder(folder);
  if (!usable) return in_context("keys.backups in relay.yaml", std::move(usable).error());
  return folder;
}

}  // namespace sallyport::app
