#include "relay/gateway/agent_clocks.h"

#include <algorithm>

namespace sallyport::gateway {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes kFresh{3};                    // agents tell it each minute
constexpr std::int64_t kLatestWallMs = 253'402'300'799'999;  // the end of the year 9999

milliseconds since_start(SteadyTime at) { return std::chrono::duration_cast<milliseconds>(at.time_since_epoch()); }

}  // namespace

void AgentClocks::hear(const OrgId& org, const AgentId& agent, std::int64_t wall_ms) {
  if (wall_ms < 0 || wall_ms > kLatestWallMs) return;
  const auto now = clock_.steady();
  samples_[org][agent] = {milliseconds(wall_ms) - since_start(now), now};
}

void AgentClocks::leave(const OrgId& org, const AgentId& agent) {
  const auto found = samples_.find(org);
  if (found == samples_.end()) return;
  found->second.erase(agent);
  if (found->second.empty()) samples_.erase(found);
}

std::optional<domain::AgentsTime> AgentClocks::now() const {
  if (!expected_) return std::nullopt;
  const auto now = clock_.steady();
  std::vector<milliseconds> votes;
  votes.reserve(samples_.size());
  for (const auto& [org, agents] : samples_) {
    if (const auto vote = median(agents, now)) votes.push_back(*vote);
  }
  const auto minority = std::max(*expected_, votes.size()) / 2;
  if (votes.size() <= minority) return std::nullopt;
  std::ranges::sort(votes);
  const auto at = [&](std::size_t place) { return WallTime(votes[place] + since_start(now)); };
  return domain::AgentsTime{.least = at(votes.size() - 1 - minority), .most = at(minority)};
}

// Of an even number the earlier one of the middle.
std::optional<milliseconds> AgentClocks::median(const OfOrganisation& agents, SteadyTime now) {
  std::vector<milliseconds> ahead;
  ahead.reserve(agents.size());
  for (const auto& [agent, sample] : agents) {
    if (now - sample.heard <= kFresh) ahead.push_back(sample.ahead);
  }
  if (ahead.empty()) return std::nullopt;
  const auto middle = ahead.begin() + static_cast<std::ptrdiff_t>((ahead.size() - 1) / 2);
  std::ranges::nth_element(ahead, middle);
  return *middle;
}

}  // namespace sallyport::gateway
