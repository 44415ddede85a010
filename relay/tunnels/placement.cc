#include "relay/tunnels/placement.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::tunnels {
namespace {

constexpr std::size_t kOfWhatIsLeft = 7;  // so many times

Error nobody(const AgentChannels& agents, const Carriers& by) {
  if (by.agent && agents.is_linked(by.org, *by.agent))
    return {Errc::unavailable, fmt::format("agent {} is not in the tunnel's group (any more)", by.agent->value)};
  if (by.agent)
    return {Errc::unavailable, fmt::format("agent {} is not linked, or carries no tunnels", by.agent->value)};
  return {Errc::unavailable, "no agent of the group is linked that carries tunnels"};
}

}  // namespace

std::size_t Placement::carried_by(const AgentId& agent) const {
  const auto at = carried_.find(agent);
  return at == carried_.end() ? 0 : at->second.all;
}

std::size_t Placement::carried_by(const AgentId& agent, const TunnelId& of) const {
  const auto at = carried_.find(agent);
  if (at == carried_.end()) return 0;
  const auto found = at->second.of_tunnel.find(of);
  return found == at->second.of_tunnel.end() ? 0 : found->second;
}

std::vector<AgentId> Placement::candidates(const Carriers& by) const {
  auto linked = agents_.linked(by.org, by.group);
  if (by.agent) std::erase_if(linked, [&](const AgentId& agent) { return agent != *by.agent; });
  std::ranges::sort(linked, {}, [this](const AgentId& agent) { return carried_by(agent); });
  return linked;
}

std::optional<Error> Placement::refusal_of(const Carriers& by, const AgentId& agent) const {
  if (!by.tunnel) return std::nullopt;
  const auto left = agents_.places_left(by.org, agent);
  const auto of = carried_by(agent, *by.tunnel);
  if (of < kOfWhatIsLeft * left) return std::nullopt;
  return Error{Errc::exhausted,
               fmt::format("agent {} carries {} connections of this tunnel, and what places it has left "
                           "({}) are for other tunnels",
                           agent.value, of, left)};
}

Result<Placement::Opened> Placement::open(const Carriers& by, std::string_view purpose) {
  std::optional<Error> why;
  for (auto& agent : candidates(by)) {
    if (auto refusal = refusal_of(by, agent)) {
      why = std::move(refusal);
      continue;
    }
    auto channel = agents_.open(by.org, agent, purpose);
    if (channel) return Opened{std::move(agent), *std::move(channel)};
    if (channel.error().code != Errc::exhausted) continue;
    why = Error{Errc::exhausted,
                fmt::format("the link of agent {} has no room: {}", agent.value, channel.error().message)};
  }
  return std::unexpected(why ? *std::move(why) : nobody(agents_, by));
}

}  // namespace sallyport::tunnels
