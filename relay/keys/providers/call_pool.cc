#include "relay/keys/providers/call_pool.h"

#include "relay/keys/providers/limits.h"

#include <algorithm>
#include <atomic>

namespace sallyport::keys {
namespace {

// The provider, and whether it is being called. Owned by the call too, which may be left behind.
struct Shared {
  explicit Shared(std::shared_ptr<BlockingProvider> one) : provider(std::move(one)) {}
  std::shared_ptr<BlockingProvider> provider;
  std::atomic<bool> busy = false;
};

class Busy {
 public:
  explicit Busy(Shared& shared) : shared_(shared), mine_(!shared.busy.exchange(true)) {}
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    if (mine_) shared_.busy = false;
  }
  bool mine() const { return mine_; }

 private:
  Shared& shared_;
  bool mine_;
};

class PooledProvider final : public Provider {
 public:
  PooledProvider(std::shared_ptr<BlockingProvider> provider, std::string name, CallPools pools)
      : name_(std::move(name)), shared_(std::make_shared<Shared>(std::move(provider))), pools_(pools) {}

  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override {
    SP_CO_CHECK(check_wrap(purpose, key));
    co_return co_await call<Bytes>([purpose = std::move(purpose), key = std::move(key)](
                                       BlockingProvider& provider, const outbound::CallThread::Call& turn) {
      return provider.wrap(purpose, key, turn);
    });
  }

  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override {
    SP_CO_CHECK(check_unwrap(purpose, wrapped));
    co_return co_await call<Secret>([purpose = std::move(purpose), wrapped = std::move(wrapped)](
                                        BlockingProvider& provider, const outbound::CallThread::Call& turn) {
      return provider.unwrap(purpose, wrapped, turn);
    });
  }

  std::string describe() const override { return name_; }

 private:
  template <class T, class Ask>
  boost::asio::awaitable<Result<T>> call(Ask ask) {
    outbound::CallThread::Work<T> work = [shared = shared_,
                                          ask = std::move(ask)](const outbound::CallThread::Call& turn) -> Result<T> {
      const Busy busy(*shared);
      if (!busy.mine()) return fail(Errc::unavailable, "it has not come back from an earlier call");
      return ask(*shared->provider, turn);
    };
    auto& pool = silent_ ? pools_.silent : pools_.answering;
    auto outcome = co_await pool.run<T>(std::move(work));
    silent_ = !outcome && (outcome.error().code == Errc::timed_out || outcome.error().code == Errc::unavailable);
    if (!outcome) co_return in_context(name_, std::move(outcome).error());
    co_return outcome;
  }

  const std::string name_;
  std::shared_ptr<Shared> shared_;
  CallPools pools_;
  bool silent_ = false;
};

}  // namespace

CallPool::Line& CallPool::shortest() {
  Line* best = nullptr;
  for (const auto& line : lines_) {
    if (line->thread->is_stuck()) continue;
    if (best == nullptr || line->calls < best->calls) best = line.get();
  }
  if ((best == nullptr || best->calls > 0) && lines_.size() < most_) {
    lines_.push_back(std::make_unique<Line>(Line{std::make_unique<outbound::CallThread>(limits_), 0}));
    return *lines_.back();
  }
  return best == nullptr ? *lines_.front() : *best;
}

std::unique_ptr<Provider> on_shared_threads(std::shared_ptr<BlockingProvider> provider, std::string name,
                                            CallPools pools) {
  return std::make_unique<PooledProvider>(std::move(provider), std::move(name), pools);
}

}  // namespace sallyport::keys
