#include "relay/jobs/leases.h"

#include <algorithm>

namespace sallyport::jobs {

void Leases::grant(HeldJob held, SteadyTime now) {
  held.granted = now;
  held.ends = now + terms_.length;
  keep(std::move(held));
}

void Leases::restore(HeldJob held, std::chrono::milliseconds told, SteadyTime now) {
  held.granted = now;
  held.ends = now + std::max(told, terms_.length);
  keep(std::move(held));
}

void Leases::prolong(const OrgId& org, SteadyTime now) {
  for (auto it = held_.lower_bound({org, JobId()}); it != held_.end() && it->first.org == org; ++it) {
    it->second.ends = std::max(it->second.ends, now + terms_.length);
  }
}

void Leases::keep(HeldJob held) {
  auto [it, added] = held_.try_emplace(held.key, held);
  if (!added && it->second.epoch <= held.epoch) it->second = std::move(held);
}

Verdict Leases::renew(const AgentId& agent, const JobKey& job, std::uint64_t epoch, SteadyTime now) {
  const auto it = held_.find(job);
  if (it == held_.end() || it->second.agent != agent || it->second.epoch != epoch) return Verdict::fenced;
  it->second.ends = std::max(it->second.ends, now + terms_.length);
  return Verdict::renewed;
}

void Leases::end(const JobKey& job, std::uint64_t epoch) {
  const auto it = held_.find(job);
  if (it != held_.end() && it->second.epoch <= epoch) held_.erase(it);
}

std::optional<HeldJob> Leases::find(const JobKey& job) const {
  const auto it = held_.find(job);
  return it == held_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<HeldJob> Leases::of(const AgentId& agent) const {
  std::vector<HeldJob> found;
  for (const auto& [job, held] : held_) {
    if (held.agent == agent) found.push_back(held);
  }
  return found;
}

std::vector<HeldJob> Leases::lost(SteadyTime now) const {
  std::vector<HeldJob> found;
  for (const auto& [job, held] : held_) {
    if (held.ends + terms_.failover <= now) found.push_back(held);
  }
  return found;
}

std::optional<SteadyTime> Leases::next_loss() const {
  std::optional<SteadyTime> first;
  for (const auto& [job, held] : held_) {
    const auto at = held.ends + terms_.failover;
    if (!first || at < *first) first = at;
  }
  return first;
}

}  // namespace sallyport::jobs
