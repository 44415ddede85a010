#pragma once

#include "relay/jobs/wire.h"
#include "shared/base/result.h"

#include <cstddef>
#include <cstdint>

namespace sallyport::jobs {

// Who is at the other end of a link, proven by its certificate and looked up in the store.
struct LinkedAgent {
  OrgId org;
  AgentId agent;
  GroupId group;
  std::uint64_t journal = 0;    // of its first Holding on this link; 0: not told
  bool knows_dry_runs = false;  // capability "dry-runs": another one gets none
};

// The way to one linked agent: its jobs channel, on whichever link that is. Implemented by relay/gateway; lives from
// Dispatcher::link_up to link_down.
class AgentLink {
 public:
  virtual ~AgentLink() = default;
  virtual const LinkedAgent& who() const = 0;
  // How many jobs more it may be sent before it has taken those that are on their way; the dispatcher is woken when
  // there is room again.
  virtual std::size_t room_for_jobs() const = 0;
  // Queues a message; never waits. Errc::unavailable: a job, and there is no room for one. Errc::exhausted: the agent
  // takes nothing, and its link is being ended for it.
  // Errc::too_large: no message may be that large (docs/protocol.md P9.1); nothing was queued, the link goes on.
  virtual Result<void> post(ToAgent message) = 0;
};

// A link, with or without a jobs channel, whose agent asks whether jobs are being handed out.
class PingedLink {
 public:
  virtual ~PingedLink() = default;
  // Called by the dispatcher when its turn comes (docs/protocol.md P10.1).
  virtual void pong(std::uint64_t nonce) = 0;
};

}  // namespace sallyport::jobs
