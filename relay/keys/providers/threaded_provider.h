#pragma once

#include "relay/keys/provider.h"
#include "relay/outbound/call_thread.h"

#include <memory>

namespace sallyport::keys {

// A provider whose library blocks: the same contract as Provider, on one thread, with arguments that were checked.
// Each call ends at its deadline, or when it is given up, as far as the library lets it.
class BlockingProvider {
 public:
  virtual ~BlockingProvider() = default;
  virtual Result<Bytes> wrap(const std::string& purpose, const Secret& key, const outbound::CallThread::Call& call) = 0;
  virtual Result<Secret> unwrap(const std::string& purpose, const Bytes& wrapped,
                                const outbound::CallThread::Call& call) = 0;
  virtual std::string describe() const = 0;
};

// It as a Provider with a thread of its own (call_thread.h says what becomes of calls that hang). Errors say in front
// whose they are.
std::unique_ptr<Provider> on_a_thread(std::shared_ptr<BlockingProvider> provider, outbound::CallLimits limits);

}  // namespace sallyport::keys
