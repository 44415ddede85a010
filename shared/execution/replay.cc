#include "shared/execution/replay.h"

namespace sallyport::execution {

Replay::Replay(const StoredJob& stored) {
  for (const auto& intent : stored.intents) {
    auto& latest = intents_[{intent.run.path, intent.run.item}];
    if (latest.run.path.empty() || latest.run.attempt < intent.run.attempt) latest = intent;
  }
  for (const auto& done : stored.done) {
    auto& latest = done_[{done.run.path, done.run.item}];
    if (latest.run.path.empty() || latest.run.attempt < done.run.attempt) latest = done;
  }
  for (const auto& progress : stored.progress) progress_.emplace(progress.path, progress);
}

Result<std::optional<Outcome>> Replay::final_of(const std::string& path, std::int64_t item) const {
  const auto it = done_.find({path, item});
  if (it == done_.end() || it->second.retry_at) return std::nullopt;
  SP_TRY(Outcome outcome, decode_outcome(it->second.status, it->second.result_json));
  return outcome;
}

Past Replay::past_of(const std::string& path, std::int64_t item) const {
  Past past;
  const auto done = done_.find({path, item});
  const std::optional<WallTime> retry_at = done == done_.end() ? std::nullopt : done->second.retry_at;
  if (done != done_.end() && !retry_at) past.attempt = done->second.run.attempt + 1;
  if (retry_at) {
    past.attempt = done->second.run.attempt + 1;
    past.wake_at = retry_at;
    past.wake_after = *retry_at - done->second.at;
    const auto outcome = decode_outcome(done->second.status, done->second.result_json);
    past.doubted = !outcome || outcome->doubted;
  }
  const auto intent = intents_.find({path, item});
  if (intent == intents_.end() || intent->second.run.attempt < past.attempt) return past;
  past.attempt = intent->second.run.attempt;
  past.doubtful = true;
  past.ledger = intent->second.ledger;
  const auto& wake_at = intent->second.wake_at;
  past.wake_at = wake_at;
  past.wake_after = wake_at ? *wake_at - intent->second.at : std::chrono::milliseconds(0);
  return past;
}

bool Replay::began(const std::string& path, std::int64_t item) const { return intents_.contains({path, item}); }

bool Replay::began_below(const std::string& prefix) const {
  const auto it = intents_.lower_bound({prefix, kNoItem});
  return it != intents_.end() && it->first.first.starts_with(prefix);
}

std::vector<std::int64_t> Replay::open_items(const std::string& path) const {
  std::vector<std::int64_t> items;
  for (auto it = intents_.lower_bound({path, 0}); it != intents_.end() && it->first.first == path; ++it) {
    const auto done = done_.find(it->first);
    if (done == done_.end() || done->second.retry_at) items.push_back(it->first.second);
  }
  return items;
}

std::optional<Progress> Replay::progress_of(const std::string& path) const {
  const auto it = progress_.find(path);
  if (it == progress_.end()) return std::nullopt;
  return it->second;
}

}  // namespace sallyport::execution
