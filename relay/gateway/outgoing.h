#pragma once

#include "relay/jobs/wire.h"
#include "shared/base/result.h"

#include <cstddef>
#include <list>
#include <optional>
#include <string>

namespace sallyport::gateway {

// What waits until an agent takes it, as messages of the jobs channel; bounded. Jobs have less room than what is said
// about them: they wait in the relay's queue at no cost, and a lease that is spent in this one is of no use to anybody.
// No IO.
class Outgoing {
 public:
  // How many jobs more, if they are as large as the last one; the last of them may be larger than what is left.
  std::size_t room_for_jobs() const;

  // All parts or nothing. Errc::too_large: no message may be that large (docs/protocol.md P9.1). Errc::unavailable: a
  // job, and there is no room for one now. Errc::exhausted: the agent takes nothing.
  Result<void> push(const jobs::ToAgent& message);
  // The next part; nullopt: nothing waits.
  std::optional<std::string> pop();

  std::size_t bytes() const { return bytes_; }

  static constexpr std::size_t kJobsRoom = 1u << 20;
  static constexpr std::size_t kJobsMessages = 500;
  static constexpr std::size_t kMaxBytes = 16u << 20;
  static constexpr std::size_t kMaxMessages = 2'000;

 private:
  bool is_full_of_jobs() const { return bytes_ >= kJobsRoom || messages_.size() >= kJobsMessages; }

  std::list<std::string> messages_;
  std::size_t bytes_ = 0;
  std::size_t job_bytes_ = 8u << 10;  // of the last job
};

}  // namespace sallyport::gateway
