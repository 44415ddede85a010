#pragma once

#include "relay/domain/trusted_clock.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace sallyport::gateway {

inline constexpr std::string_view kClock = "clock";  // a capability (docs/protocol.md P17)

// What time it is by the clocks of linked agents: a second opinion on the relay's own (docs/decisions/0039). Agents are
// under their organisations' control, so each organisation has one vote, the median of its agents, and it takes more
// than half of the organisations that have agents to say that it is so late, or so early. One that is not heard says
// neither: nobody moves the time by keeping others away. Holds one sample for each linked agent. Single executor.
class AgentClocks {
 public:
  explicit AgentClocks(const Clock& clock) : clock_(clock) {}

  // What an agent's wall clock shows now. A time that cannot be is passed over.
  void hear(const OrgId& org, const AgentId& agent, std::int64_t wall_ms);
  void leave(const OrgId& org, const AgentId& agent);  // its last link has ended, or never was
  // How many organisations have agents that may link. Nobody's word counts before that is known.
  void expect(std::size_t organisations) { expected_ = organisations; }

  std::optional<domain::AgentsTime> now() const;  // nothing: too few are heard

 private:
  struct Sample {
    std::chrono::milliseconds ahead{0};  // of the wall clock, against the relay's steady one
    SteadyTime heard;
  };
  using OfOrganisation = std::map<AgentId, Sample>;  // never empty

  static std::optional<std::chrono::milliseconds> median(const OfOrganisation& agents, SteadyTime now);

  const Clock& clock_;
  std::map<OrgId, OfOrganisation> samples_;
  std::optional<std::size_t> expected_;
};

}  // namespace sallyport::gateway
