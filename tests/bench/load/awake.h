#pragma once

#include <thread>
#include <vector>

namespace sallyport::bench {

// While it lives, one thread of the lowest priority spins for each CPU. A virtual CPU that has gone to sleep takes tens
// of microseconds to wake, more than what a tunnel adds to a round trip, and whether it sleeps depends on the
// neighbours. Spinners give way to everything else at once.
class Awake {
 public:
  enum class Hands { none, all };
  explicit Awake(Hands hands);

 private:
  std::vector<std::jthread> threads_;
};

}  // namespace sallyport::bench
