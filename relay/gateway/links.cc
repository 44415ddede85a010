#include "relay/gateway/links.h"

namespace sallyport::gateway {
namespace {
constexpr std::chrono::seconds kComeBack{30};
constexpr std::chrono::milliseconds kAtOnce{100};  // zero would mean never
}  // namespace

std::optional<link::Refusal> Links::enter(LiveLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it != links_.end() && it->second != &link) {
    LiveLink& other = *it->second;
    if (other.boot_id() != link.boot_id() && other.is_alive()) {
      return link::Refusal{"quarantined",
                           "another process with this identity is linked from " + other.peer_address() +
                               "; if this host is a copy, remove its identity and enrol it anew",
                           kComeBack};
    }
    other.refuse({"replaced", "a newer link of the same agent took its place", {}});
  }
  if (it != links_.end()) forget(*it->second);
  links_[link.who().agent] = &link;
  groups_[link.who().group].push_back(&link);
  return std::nullopt;
}

void Links::leave(LiveLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it != links_.end() && it->second == &link) forget(link);
}

void Links::forget(LiveLink& link) {
  links_.erase(link.who().agent);
  const auto group = groups_.find(link.who().group);
  std::erase(group->second, &link);
  if (group->second.empty()) groups_.erase(group);
}

LiveLink* Links::find(const OrgId& org, const AgentId& agent) const {
  const auto it = links_.find(agent);
  return it == links_.end() || it->second->who().org != org ? nullptr : it->second;
}

std::vector<AgentId> Links::linked(const OrgId& org, const GroupId& group) const {
  std::vector<AgentId> agents;
  const auto members = groups_.find(group);
  if (members == groups_.end()) return agents;
  for (const auto* link : members->second) {
    if (link->who().org == org && link->carries_tunnels()) agents.push_back(link->who().agent);
  }
  return agents;
}

bool Links::is_linked(const OrgId& org, const AgentId& agent) const {
  const auto* link = find(org, agent);
  return link != nullptr && link->carries_tunnels();
}

Result<link::Channel> Links::open(const OrgId& org, const AgentId& agent, std::string_view purpose) {
  if (!is_linked(org, agent))
    return fail(Errc::unavailable, "agent " + agent.value + " is not linked, or carries no tunnels");
  return find(org, agent)->open_channel(purpose);
}

std::optional<jobs::LinkState> Links::link_of(const OrgId& org, const AgentId& agent) const {
  const auto* link = find(org, agent);
  if (link == nullptr) return std::nullopt;
  return jobs::LinkState{link->since(), 1, link->peer_address()};
}

void Links::cut(const OrgId& org, const AgentId& agent, std::string code, std::string message) {
  refuse(org, agent, {std::move(code), std::move(message), {}});
}

void Links::relink(const OrgId& org, const AgentId& agent, std::string message) {
  refuse(org, agent, {"moved", std::move(message), kAtOnce});
}

void Links::refuse(const OrgId& org, const AgentId& agent, link::Refusal refusal) {
  if (auto* link = find(org, agent)) link->refuse(std::move(refusal));
}

}  // namespace sallyport::gateway
