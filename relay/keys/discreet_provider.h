#pragma once

#include "relay/keys/provider.h"
#include "shared/base/log.h"

#include <memory>
#include <string>

namespace sallyport::keys {

// Where the master key is kept. Who starts the relay reads what is wrong there. Once the relay serves, whatever goes
// wrong there stops the calls of organisations, whose people must not learn its hosts and paths from it: then the log
// is told what went wrong, once for each change; who asked, only that it did (unavailable).
class DiscreetProvider final : public Provider {
 public:
  DiscreetProvider(std::shared_ptr<Provider> real, const Log& log) : real_(std::move(real)), log_(log) {}
  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override;
  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override;
  std::string describe() const override { return real_->describe(); }
  void begin_to_serve() { serves_ = true; }

 private:
  Error tell(Error error);
  void tell_works();

  std::shared_ptr<Provider> real_;
  const Log& log_;
  bool serves_ = false;
  std::string trouble_;  // at the last call
};

}  // namespace sallyport::keys
