#pragma once

#include "relay/store/page.h"

#include <chrono>

namespace sallyport::store {

inline constexpr std::chrono::seconds kProbeLife{1};

// Whether the engine can do its work now: system-wide, for readiness.
class Health {
 public:
  virtual ~Health() = default;
  // Writes something without meaning and waits until it is durable, at most once every kProbeLife while that goes well.
  // unavailable: nothing can be written, and why.
  virtual awaitable<Result<void>> check_write() = 0;
};

}  // namespace sallyport::store
