#include "agent/runner/concurrency.h"

#include <algorithm>

namespace sallyport::runner {

ConcurrencyGate::Entry ConcurrencyGate::enter(const Key& key, const JobId& job, const recipe::Concurrency& rule) {
  auto& line = lines_[key];
  line.limit = rule.limit;
  auto it = std::ranges::find(line.jobs, job);
  if (it == line.jobs.end()) {
    const bool crowded = static_cast<std::int64_t>(line.jobs.size()) >= line.limit;
    if (crowded && rule.conflict() == recipe::OnConflict::skip) return Entry::skipped;
    it = line.jobs.insert(line.jobs.end(), job);
  }
  return std::distance(line.jobs.begin(), it) < line.limit ? Entry::may_run : Entry::must_wait;
}

std::optional<JobId> ConcurrencyGate::leave(const Key& key, const JobId& job) {
  const auto found = lines_.find(key);
  if (found == lines_.end()) return std::nullopt;
  auto& line = found->second;
  line.jobs.remove(job);
  if (line.jobs.empty()) {
    lines_.erase(found);
    return std::nullopt;
  }
  if (static_cast<std::int64_t>(line.jobs.size()) < line.limit) return std::nullopt;
  return *std::next(line.jobs.begin(), line.limit - 1);
}

std::size_t ConcurrencyGate::waiting() const {
  std::size_t count = 0;
  for (const auto& [key, line] : lines_) {
    count += line.jobs.size() - std::min(line.jobs.size(), static_cast<std::size_t>(line.limit));
  }
  return count;
}

}  // namespace sallyport::runner
