#include "relay/keys/discreet_provider.h"

#include <utility>

namespace sallyport::keys {

namespace asio = boost::asio;

asio::awaitable<Result<Bytes>> DiscreetProvider::wrap(std::string purpose, Secret key) {
  auto wrapped = co_await real_->wrap(std::move(purpose), std::move(key));
  if (!wrapped) co_return std::unexpected(tell(std::move(wrapped).error()));
  tell_works();
  co_return wrapped;
}

asio::awaitable<Result<Secret>> DiscreetProvider::unwrap(std::string purpose, Bytes wrapped) {
  auto key = co_await real_->unwrap(std::move(purpose), std::move(wrapped));
  if (!key) co_return std::unexpected(tell(std::move(key).error()));
  tell_works();
  co_return key;
}

Error DiscreetProvider::tell(Error error) {
  if (!serves_ || error.code == Errc::cancelled) return error;
  if (std::exchange(trouble_, error.message) != error.message) {
    log_.error("master_key.failed", {{"code", to_string(error.code)}, {"reason", error.message}});
  }
  return {Errc::unavailable, "the relay's master key cannot be used now; the relay's log tells its operator why"};
}

void DiscreetProvider::tell_works() {
  if (!std::exchange(trouble_, {}).empty()) log_.info("master_key.works");
}

}  // namespace sallyport::keys
