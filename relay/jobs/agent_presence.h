#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::jobs {

// One link of an agent.
struct LinkFacts {
  std::string peer;  // its address
  WallTime since;
  std::optional<std::chrono::milliseconds> round_trip;  // of the last proof that the agent works; none yet
  bool jobs = false;                                    // it carries the jobs channel
  std::size_t tunnels = 0;                              // connections of tunnels, and questions
  bool draining = false;                                // it ends when those have ended
  bool bulk = false;                                    // so much goes over it that a small message may have to wait
};

struct LinkState {
  WallTime since;                    // the oldest of its links that is up
  std::string peer;                  // address of the newest link
  std::vector<LinkFacts> each = {};  // oldest first, at least one
};

// Which agents are linked to this relay right now, and the way to cut them off. Used on the relay's loop only.
class AgentPresence {
 public:
  virtual ~AgentPresence() = default;
  virtual std::optional<LinkState> link_of(const OrgId& org, const AgentId& agent) const = 0;
  // Ends every link of the agent with Refusal `code` ("revoked"): it does not come back by itself. Not linked: nothing
  // happens.
  virtual void cut(const OrgId& org, const AgentId& agent, std::string code, std::string message) = 0;
  // The same with "moved": the agent links again at once and hears what holds for it now.
  virtual void relink(const OrgId& org, const AgentId& agent, std::string message) = 0;
};

}  // namespace sallyport::jobs
