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
  links_.insert_or_assign(link.who().agent, &link);
  return std::nullopt;
}

void Links::leave(LiveLink& link) {
  const auto it = links_.find(link.who().agent);
  if (it != links_.end() && it->second == &link) links_.erase(it);
}

std::optional<jobs::LinkState> Links::link_of(const OrgId& org, const AgentId& agent) const {
  const auto it = links_.find(agent);
  if (it == links_.end() || it->second->who().org != org) return std::nullopt;
  return jobs::LinkState{it->second->since(), 1, it->second->peer_address()};
}

void Links::cut(const OrgId& org, const AgentId& agent, std::string code, std::string message) {
  refuse(org, agent, {std::move(code), std::move(message), {}});
}

void Links::relink(const OrgId& org, const AgentId& agent, std::string message) {
  refuse(org, agent, {"moved", std::move(message), kAtOnce});
}

void Links::refuse(const OrgId& org, const AgentId& agent, link::Refusal refusal) {
  const auto it = links_.find(agent);
  if (it != links_.end() && it->second->who().org == org) it->second->refuse(std::move(refusal));
}

}  // namespace sallyport::gateway
