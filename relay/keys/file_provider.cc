#include "relay/keys/file_provider.h"

#include "shared/crypto/aead.h"

namespace sallyport::keys {

boost::asio::awaitable<Result<Bytes>> FileProvider::wrap(std::string purpose, Secret key) {
  co_return crypto::seal(key_, as_bytes(key.reveal()), as_bytes(purpose));
}

boost::asio::awaitable<Result<Secret>> FileProvider::unwrap(std::string purpose, Bytes wrapped) {
  auto key = crypto::open(key_, wrapped, as_bytes(purpose));
  if (!key) {
    co_return fail(Errc::invalid, "the key \"" + purpose + "\" was not wrapped by the master key in " + file_.string() +
                                      ": is it the one that belongs to keys.db?");
  }
  co_return key;
}

}  // namespace sallyport::keys
