#include "tests/bench/load/awake.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>

namespace sallyport::bench {
namespace {

constexpr int kLowest = 19;

void spin(const std::stop_token& stop) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kLowest);
  while (!stop.stop_requested()) {
    for (int i = 0; i < 1'000; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
  }
}

}  // namespace

Awake::Awake(Hands hands) {
  const unsigned count = hands == Hands::all ? std::thread::hardware_concurrency() : 0;
  for (unsigned i = 0; i < count; ++i) threads_.emplace_back(spin);
}

}  // namespace sallyport::bench
