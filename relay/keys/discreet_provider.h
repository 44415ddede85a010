#pragma once

#include "relay/keys/provider.h"
#include "relay/keys/trouble.h"

#include <memory>
#include <string>

namespace sallyport::keys {

// Where a key of the operator's is kept: whatever goes wrong there stops the calls of organisations, whose people must
// not learn its hosts and paths from it. The log is told what went wrong; who asked, only that it did.
class DiscreetProvider final : public Provider {
 public:
  // `whose`: what who asked may call it.
  DiscreetProvider(std::shared_ptr<Provider> real, std::shared_ptr<Trouble> trouble, std::string whose)
      : real_(std::move(real)), trouble_(std::move(trouble)), whose_(std::move(whose)) {}
  // The master key, of a relay that does not serve yet.
  DiscreetProvider(std::shared_ptr<Provider> real, const Log& log);

  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override;
  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override;
  std::string describe() const override { return real_->describe(); }
  const Trouble& trouble() const { return *trouble_; }
  // From now on. Before, who starts the relay is who asks, and reads all of it; the log is told nothing.
  void begin_to_serve() { serves_ = true; }

 private:
  Error tell(Error error);

  std::shared_ptr<Provider> real_;
  std::shared_ptr<Trouble> trouble_;
  std::string whose_;
  bool serves_ = true;
};

// `error` as who asked may read it.
Error without_reason(const Error& error, std::string_view whose);

}  // namespace sallyport::keys
