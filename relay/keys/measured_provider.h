#pragma once

#include "relay/keys/provider.h"
#include "shared/base/clock.h"
#include "shared/base/metrics.h"

#include <array>
#include <functional>
#include <memory>

namespace sallyport::keys {

enum class WhoseKey { master, own };  // the deployment's; organisations', of all together

// How calls to where keys are kept went: docs/operations/relay.md.
class ProviderFigures {
 public:
  enum class Operation { wrap, unwrap };
  ProviderFigures(Metrics& metrics, WhoseKey whose);
  void ended(Operation operation, const Result<void>& outcome, std::chrono::nanoseconds took);

 private:
  using ByOutcome = std::array<std::reference_wrapper<Counter>, 3>;
  static ByOutcome counters(Metrics& metrics, WhoseKey whose, std::string operation);

  ByOutcome wraps_, unwraps_;
  Histogram& seconds_;
  Gauge* unavailable_ = nullptr;  // of the master key
};

// Another provider, measured. The figures outlive it.
class MeasuredProvider final : public Provider {
 public:
  MeasuredProvider(std::shared_ptr<Provider> real, ProviderFigures& figures, const Clock& clock)
      : real_(std::move(real)), figures_(figures), clock_(clock) {}
  boost::asio::awaitable<Result<Bytes>> wrap(std::string purpose, Secret key) override;
  boost::asio::awaitable<Result<Secret>> unwrap(std::string purpose, Bytes wrapped) override;
  std::string describe() const override { return real_->describe(); }

 private:
  std::shared_ptr<Provider> real_;
  ProviderFigures& figures_;
  const Clock& clock_;
};

}  // namespace sallyport::keys
