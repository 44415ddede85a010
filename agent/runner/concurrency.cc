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
  const auto it = std::ranges::find(line.jobs, job);
  if (it == line.jobs.end()) return std::nullopt;
  const bool ran = std::distance(line.jobs.begin(), it) < line.limit;
  line.jobs.erase(it);
  const bool next = ran && static_cast<std::int64_t>(line.jobs.size()) >= line.limit;
  const std::optional<JobId> turn = next ? std::optional(*std::next(line.jobs.begin(), line.limit - 1)) : std::nullopt;
  if (line.jobs.empty()) lines_.erase(found);
  return turn;
}

}  // namespace sallyport::runner
