#include "agent/connectors/file/settle_watch.h"

#include <algorithm>

namespace sallyport::connectors::file {

std::vector<platform::DirectoryEntry> SettleWatch::look(const std::vector<platform::DirectoryEntry>& files,
                                                        SteadyTime now) {
  for (auto& [name, seen] : seen_) seen.present = false;
  std::vector<platform::DirectoryEntry> settled;
  for (const auto& file : files) {
    const auto [it, is_new] = seen_.try_emplace(file.name, Seen{file.facts, now});
    auto& seen = it->second;
    if (!is_new && seen.facts != file.facts) seen = Seen{file.facts, now};
    seen.present = true;
    if (!seen.confirmed && now - seen.since >= settle_) settled.push_back(file);
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

SteadyTime SettleWatch::next_settling() const {
  auto next = SteadyTime::max();
  for (const auto& [name, seen] : seen_) {
    if (!seen.confirmed) next = std::min(next, seen.since + settle_);
  }
  return next;
}

}  // namespace sallyport::connectors::file
