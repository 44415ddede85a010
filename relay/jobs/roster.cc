#include "relay/jobs/roster.h"

namespace sallyport::jobs {

void Roster::link_up(AgentLink& link, SteadyTime now) {
  const auto& who = link.who();
  if (auto* before = find(who.agent)) leave_group(*before);
  const auto [at, _] = agents_.insert_or_assign(
      who.agent, Linked{.link = &link, .group = who.group, .number = ++links_seen_, .since = now});
  groups_[who.group].insert(&at->second);
}

void Roster::link_down(AgentLink& link) {
  auto* gone = find(link);
  if (gone == nullptr) return;
  leave_group(*gone);
  agents_.erase(link.who().agent);
}

Linked* Roster::find(const AgentId& agent) {
  const auto at = agents_.find(agent);
  return at == agents_.end() ? nullptr : &at->second;
}

Linked* Roster::find(const AgentLink& link) {
  auto* found = find(link.who().agent);
  return found != nullptr && found->link == &link ? found : nullptr;
}

Linked* Roster::find(const AgentId& agent, std::uint64_t number) {
  auto* found = find(agent);
  return found != nullptr && found->number == number ? found : nullptr;
}

void Roster::set_slots(Linked& linked, std::uint32_t slots) {
  if (linked.slots == slots) return;
  auto& group = groups_.at(linked.group);
  auto place = group.extract(&linked);
  linked.slots = slots;
  group.insert(std::move(place));
}

void Roster::leave_group(Linked& linked) {
  const auto at = groups_.find(linked.group);
  if (at == groups_.end()) return;
  at->second.erase(&linked);
  if (at->second.empty()) groups_.erase(at);
}

Linked* Roster::first_with_credit(const Group& group, SteadyTime now) {
  for (auto* linked : group) {
    if (linked->slots == 0) return nullptr;
    if (linked->has_credit(now)) return linked;
  }
  return nullptr;
}

std::vector<GroupId> Roster::groups_with_credit(SteadyTime now, const May& may) const {
  std::vector<GroupId> groups;
  for (const auto& [id, group] : groups_) {
    const auto* linked = first_with_credit(group, now);
    if (linked != nullptr && (!may || may(linked->link->who().org))) groups.push_back(id);
  }
  return groups;
}

Linked* Roster::least_loaded(const GroupId& group, SteadyTime now) const {
  const auto at = groups_.find(group);
  return at == groups_.end() ? nullptr : first_with_credit(at->second, now);
}

}  // namespace sallyport::jobs
