#include "relay/gateway/links.h"

#include "relay/gateway/key_courier.h"

#include <algorithm>
#include <tuple>

namespace sallyport::gateway {
namespace {
constexpr std::chrono::seconds kComeBack{30};
constexpr std::chrono::milliseconds kAtOnce{100};  // zero would mean never
constexpr std::size_t kRoomForTunnels = 1'000;     // of a link (docs/protocol.md P14.7)
}  // namespace

std::optional<link::Refusal> Links::enter(LiveLink& link) {
  const auto present = links_.find(link.who().agent);
  const auto others = present == links_.end() ? OfAgent() : present->second;
  if (std::ranges::find(others, &link) != others.end()) return std::nullopt;
  const auto copy = std::ranges::find_if(
      others, [&](const auto* other) { return other->boot_id() != link.boot_id() && other->is_alive(); });
  if (copy != others.end()) {
    return link::Refusal{"quarantined",
                         "another process with this identity is linked from " + (*copy)->facts().peer +
                             "; if this host is a copy, remove its identity and enrol it anew",
                         kComeBack};
  }
  for (auto* other : others) {
    if (other->boot_id() == link.boot_id() && other->number() != link.number()) continue;
    other->refuse({"replaced", "a newer link of the same agent took its place", {}});
    forget(*other);
  }
  links_[link.who().agent].push_back(&link);
  ++groups_[link.who().group][link.who().agent];
  ++count_;
  if (changed_) changed_();
  return std::nullopt;
}

void Links::leave(LiveLink& link) {
  forget(link);
  if (changed_) changed_();
}

void Links::forget(LiveLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it == links_.end() || std::erase(it->second, &link) == 0) return;
  if (it->second.empty()) links_.erase(it);
  --count_;
  const auto group = groups_.find(link.who().group);
  if (--group->second[link.who().agent] == 0) group->second.erase(link.who().agent);
  if (group->second.empty()) groups_.erase(group);
}

bool Links::is_only(const LiveLink& link) const {
  const auto it = links_.find(link.who().agent);
  return it != links_.end() && it->second.size() == 1 && it->second.front() == &link;
}

const Links::OfAgent* Links::find(const OrgId& org, const AgentId& agent) const {
  const auto it = links_.find(agent);
  return it == links_.end() || it->second.front()->who().org != org ? nullptr : &it->second;
}

std::vector<AgentId> Links::linked(const OrgId& org, const GroupId& group) const {
  std::vector<AgentId> agents;
  const auto members = groups_.find(group);
  if (members == groups_.end()) return agents;
  for (const auto& [agent, links] : members->second) {
    if (for_tunnels(org, agent) != nullptr) agents.push_back(agent);
  }
  return agents;
}

bool Links::is_linked(const OrgId& org, const AgentId& agent) const { return for_tunnels(org, agent) != nullptr; }

LiveLink* Links::for_tunnels(const OrgId& org, const AgentId& agent) const {
  const auto* links = find(org, agent);
  if (links == nullptr) return nullptr;
  LiveLink* best = nullptr;
  std::tuple<bool, bool, bool, std::size_t> least;
  for (auto* link : *links) {
    if (!link->carries_tunnels()) continue;
    const auto facts = link->facts();
    const std::tuple cost{facts.tunnels >= kRoomForTunnels, facts.bulk, facts.jobs, facts.tunnels};
    if (best != nullptr && cost >= least) continue;
    best = link;
    least = cost;
  }
  return best;
}

std::size_t Links::places_left(const OrgId& org, const AgentId& agent) const {
  const auto* links = find(org, agent);
  if (links == nullptr) return 0;
  std::size_t left = 0;
  for (const auto* link : *links) {
    if (link->carries_tunnels()) left += kRoomForTunnels - std::min(kRoomForTunnels, link->facts().tunnels);
  }
  return left;
}

Result<link::Channel> Links::open(const OrgId& org, const AgentId& agent, std::string_view purpose) {
  auto* link = for_tunnels(org, agent);
  if (link == nullptr) return fail(Errc::unavailable, "agent " + agent.value + " is not linked, or carries no tunnels");
  return link->open_channel(purpose);
}

LiveLink* Links::for_keys(const OrgId& org, const AgentId& agent) const {
  const auto* links = find(org, agent);
  if (links == nullptr) return nullptr;
  const auto found = std::ranges::find_if(*links, &LiveLink::carries_system_keys);
  return found == links->end() ? nullptr : *found;
}

std::vector<AgentId> Links::knowing_system_keys(const OrgId& org, const GroupId& group) const {
  std::vector<AgentId> agents;
  const auto members = groups_.find(group);
  if (members == groups_.end()) return agents;
  for (const auto& [agent, links] : members->second) {
    if (knows_system_keys(org, agent)) agents.push_back(agent);
  }
  return agents;
}

Result<link::Channel> Links::open_for_keys(const OrgId& org, const AgentId& agent) {
  auto* link = for_keys(org, agent);
  if (link == nullptr)
    return fail(Errc::unavailable, "agent " + agent.value + " is not linked, or takes no system keys");
  return link->open_channel(kSystemKeysPurpose);
}

Result<link::Channel> Links::open_for_authorization(const OrgId& org, const AgentId& agent) {
  const auto* links = find(org, agent);
  if (links == nullptr) return fail(Errc::unavailable, "agent " + agent.value + " is not linked");
  const auto found = std::ranges::find_if(*links, &LiveLink::carries_authorizations);
  if (found != links->end()) return (*found)->open_channel(kAuthorizationPurpose);
  return fail(Errc::unavailable,
              "agent " + agent.value +
                  " knows no authorizations: update it, or authorize the connection on its machine with "
                  "`sallyport-agent connection authorize`");
}

std::optional<jobs::LinkState> Links::link_of(const OrgId& org, const AgentId& agent) const {
  const auto* links = find(org, agent);
  if (links == nullptr) return std::nullopt;
  jobs::LinkState state;
  for (const auto* link : *links) state.each.push_back(link->facts());
  state.since = std::ranges::min(state.each, {}, &jobs::LinkFacts::since).since;
  state.peer = state.each.back().peer;
  return state;
}

void Links::cut(const OrgId& org, const AgentId& agent, std::string code, std::string message) {
  refuse(org, agent, {std::move(code), std::move(message), {}});
}

void Links::relink(const OrgId& org, const AgentId& agent, std::string message) {
  refuse(org, agent, {"moved", std::move(message), kAtOnce});
}

void Links::refuse(const OrgId& org, const AgentId& agent, const link::Refusal& refusal) {
  const auto* links = find(org, agent);
  for (auto* link : links == nullptr ? OfAgent() : *links) link->refuse(refusal);
}

}  // namespace sallyport::gateway
