#include "agent/connectors/settle_watch.h"

#include <algorithm>

namespace sallyport::connectors {
namespace {

constexpr std::chrono::seconds kLongestDelay(60);

}  // namespace

std::vector<platform::DirectoryEntry> SettleWatch::look(const std::vector<platform::DirectoryEntry>& files,
                                                        SteadyTime now) {
  for (auto& [name, seen] : seen_) seen.present = false;
  std::vector<platform::DirectoryEntry> settled;
  for (const auto& file : files) {
    const auto [it, is_new] = seen_.try_emplace(file.name, Seen{file.facts, now + settle_});
    auto& seen = it->second;
    if (!is_new && seen.facts != file.facts) seen = Seen{file.facts, now + settle_};
    seen.present = true;
    if (!seen.confirmed && now >= seen.ready) settled.push_back(file);
  }
  std::erase_if(seen_, [](const auto& entry) { return !entry.second.present; });
  std::ranges::sort(settled, {},
                    [](const platform::DirectoryEntry& file) { return std::pair(file.facts.mtime_ns, file.name); });
  return settled;
}

void SettleWatch::confirm(const platform::DirectoryEntry& file) {
  const auto it = seen_.find(file.name);
  if (it != seen_.end() && it->second.facts == file.facts) it->second.confirmed = true;
}

void SettleWatch::put_off(const platform::DirectoryEntry& file, SteadyTime now) {
  const auto it = seen_.find(file.name);
  if (it == seen_.end() || it->second.facts != file.facts) return;
  it->second.ready = now + it->second.next_delay;
  it->second.next_delay = std::min(2 * it->second.next_delay, kLongestDelay);
}

SteadyTime SettleWatch::next_settling() const {
  auto next = SteadyTime::max();
  for (const auto& [name, seen] : seen_) {
    if (!seen.confirmed) next = std::min(next, seen.ready);
  }
  return next;
}

}  // namespace sallyport::connectors
