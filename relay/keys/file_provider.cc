#include "relay/keys/file_provider.h"

#include "shared/crypto/aead.h"

#include <algorithm>

namespace sallyport::keys {

Result<FileProvider> FileProvider::make(std::filesystem::path file, const Secret& key) {
  if (key.size() != kKeySize) return fail(Errc::invalid, file.string() + ": a master key has 32 bytes");
  SP_TRY(auto memory, LockedMemory::make());
  SP_TRY(LockedKey held, memory->take());
  std::ranges::copy(as_bytes(key.reveal()), held.writable().begin());
  return FileProvider(std::move(file), std::move(memory), std::move(held));
}

boost::asio::awaitable<Result<Bytes>> FileProvider::wrap(std::string purpose, Secret key) {
  co_return crypto::seal(key_.bytes(), as_bytes(key.reveal()), as_bytes(purpose));
}

boost::asio::awaitable<Result<Secret>> FileProvider::unwrap(std::string purpose, Bytes wrapped) {
  auto key = crypto::open(key_.bytes(), wrapped, as_bytes(purpose));
  if (!key) {
    co_return fail(Errc::invalid, "the key \"" + purpose + "\" was not wrapped by the master key in " + file_.string());
  }
  co_return key;
}

}  // namespace sallyport::keys
