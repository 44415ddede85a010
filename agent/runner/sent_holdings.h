#pragma once

#include "agent/platform/boot_clock.h"
#include "shared/base/result.h"

#include <chrono>
#include <cstdint>
#include <deque>

namespace sallyport::runner {

using platform::BootTime;

// When the Holdings of this process were sent, on this machine's boot clock. A lease counts from the sending of the
// Holding it rests on (docs/protocol.md P13.4): the relay had that Holding before it granted the lease, so the lease
// that is believed here ends before the one the relay believes in, however long its word lay unread on the way.
class SentHoldings {
 public:
  // The number of the one that is sent next; call before it is handed to the link. They count up from 1.
  std::uint64_t add(BootTime now);
  // Until when a lease of this length holds that rests on the Holding `number`. BootTime::min() when that one is not
  // known any more, and for 0, which names none: nothing proves then that it has not ended yet. Errc::invalid: no
  // Holding ever had this number.
  Result<BootTime> lease_end(std::uint64_t number, std::chrono::milliseconds length) const;

 private:
  std::uint64_t last_ = 0;
  std::deque<BootTime> sent_;  // of the newest ones
};

}  // namespace sallyport::runner
