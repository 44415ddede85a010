#pragma once

#include "relay/keys/providers/threaded_provider.h"

#include <string>
#include <vector>

namespace sallyport::keys {

// A bounded number of threads for the blocking calls of many providers. Each call goes to the thread with the fewest
// before it, and never to one that hangs while there is another. Threads are made when they are needed. One executor;
// as CallThread, its calls have ended before it dies.
class CallPool {
 public:
  CallPool(std::size_t threads, outbound::CallLimits limits) : most_(threads), limits_(limits) {}
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  template <class T>
  boost::asio::awaitable<Result<T>> run(outbound::CallThread::Work<T> work) {
    const Turn turn(*this);
    co_return co_await turn.thread().template run<T>(std::move(work));
  }
  std::size_t threads() const { return lines_.size(); }

 private:
  struct Line {
    std::unique_ptr<outbound::CallThread> thread;
    std::size_t calls = 0;
  };
  class Turn {
   public:
    explicit Turn(CallPool& pool) : line_(pool.shortest()) { ++line_.calls; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { --line_.calls; }
    outbound::CallThread& thread() const { return *line_.thread; }

   private:
    Line& line_;
  };
  Line& shortest();

  std::size_t most_;
  outbound::CallLimits limits_;
  std::vector<std::unique_ptr<Line>> lines_;
};

// Where customers' providers are called: those whose last call was answered do not wait behind those whose was not.
struct CallPools {
  CallPool& answering;
  CallPool& silent;
};

// A provider on shared threads, with one call at a time: one that hangs is not called again before it comes back.
// `name` is what it is called in errors and by describe(). The pools outlive it.
std::unique_ptr<Provider> on_shared_threads(std::shared_ptr<BlockingProvider> provider, std::string name,
                                            CallPools pools);

}  // namespace sallyport::keys
