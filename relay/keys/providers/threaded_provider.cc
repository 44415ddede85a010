#include "relay/keys/providers/threaded_provider.h"

#include "relay/keys/providers/limits.h"

namespace sallyport::keys {
namespace {

class ThreadedProvider final : public Provider {
 public:
  ThreadedProvider(std::shared_ptr<BlockingProvider> provider, outbound::CallLimits limits)
      : name_(provider->describe()), provider_(std::move(provider)), calls_(limits) {}

  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override {
    SP_CO_CHECK(check_wrap(purpose, key));
    outbound::CallThread::Work<Bytes> work = [provider = provider_, purpose = std::move(purpose),
                                              key = std::move(key)](const outbound::CallThread::Call& call) {
      return provider->wrap(purpose, key, call);
    };
    auto wrapped = co_await calls_.run(std::move(work));
    if (!wrapped) co_return in_context(name_, std::move(wrapped).error());
    co_return wrapped;
  }

  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override {
    SP_CO_CHECK(check_unwrap(purpose, wrapped));
    outbound::CallThread::Work<Secret> work = [provider = provider_, purpose = std::move(purpose),
                                               wrapped = std::move(wrapped)](const outbound::CallThread::Call& call) {
      return provider->unwrap(purpose, wrapped, call);
    };
    auto key = co_await calls_.run(std::move(work));
    if (!key) co_return in_context(name_, std::move(key).error());
    co_return key;
  }

  std::string describe() const override { return name_; }

 private:
  const std::string name_;
  std::shared_ptr<BlockingProvider> provider_;  // with the thread, should it be left behind
  outbound::CallThread calls_;
};

}  // namespace

std::unique_ptr<Provider> on_a_thread(std::shared_ptr<BlockingProvider> provider, outbound::CallLimits limits) {
  return std::make_unique<ThreadedProvider>(std::move(provider), limits);
}

}  // namespace sallyport::keys
