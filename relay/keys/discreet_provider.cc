#include "relay/keys/discreet_provider.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::keys {

namespace asio = boost::asio;

DiscreetProvider::DiscreetProvider(std::shared_ptr<Provider> real, const Log& log)
    : DiscreetProvider(std::move(real),
                       std::make_shared<Trouble>(log, Trouble::Events{"master_key.failed", "master_key.works"}),
                       "the relay's master key") {
  serves_ = false;
}

asio::awaitable<Result<Bytes>> DiscreetProvider::wrap(std::string purpose, Secret key) {
  auto wrapped = co_await real_->wrap(std::move(purpose), std::move(key));
  if (!wrapped) co_return std::unexpected(tell(std::move(wrapped).error()));
  trouble_->tell_works();
  co_return wrapped;
}

asio::awaitable<Result<Secret>> DiscreetProvider::unwrap(std::string purpose, Bytes wrapped) {
  auto key = co_await real_->unwrap(std::move(purpose), std::move(wrapped));
  if (!key) co_return std::unexpected(tell(std::move(key).error()));
  trouble_->tell_works();
  co_return key;
}

Error DiscreetProvider::tell(Error error) {
  if (!serves_) return error;
  trouble_->tell(error);
  return without_reason(error, whose_);
}

Error without_reason(const Error& error, std::string_view whose) {
  if (error.code == Errc::cancelled) return error;
  return {error.code, fmt::format("{} cannot be used now ({}); the relay's log tells its operator why", whose,
                                  to_string(error.code))};
}

}  // namespace sallyport::keys
