#include "agent/runner/connection_health.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace sallyport::runner {
namespace {

constexpr std::array<std::string_view, 3> kFailing{"connection", "timeout", "permission"};
constexpr std::array<std::string_view, 2> kAnswered{"constraint", "transaction"};
constexpr std::size_t kMaxNews = 1'000;  // docs/protocol.md P13.21
constexpr auto kSameAgain = std::chrono::minutes(5);

}  // namespace

std::string_view health_word(const ConnectionUse& use) { return use.error_class.empty() ? "healthy" : "failing"; }

std::optional<std::string> verdict_of(const connectors::StepResult<connectors::Output>& outcome) {
  if (outcome) return "";
  const auto& classes = outcome.error().classes;
  const auto failing = std::ranges::find_first_of(kFailing, classes);
  if (failing != kFailing.end()) return std::string(*failing);
  if (std::ranges::find_first_of(kAnswered, classes) != kAnswered.end()) return "";
  return std::nullopt;
}

ConnectionHealth::ConnectionHealth(std::set<std::string, std::less<>> connections)
    : connections_(std::move(connections)) {}

bool ConnectionHealth::note(const std::string& connection, const connectors::StepResult<connectors::Output>& outcome,
                            WallTime now) {
  if (!connections_.contains(connection)) return false;
  auto verdict = verdict_of(outcome);
  if (!verdict) return false;
  const auto [it, is_new] = known_.try_emplace(connection);
  Known& known = it->second;
  const bool same = !is_new && known.use.error_class == *verdict;
  known.use = {connection, *std::move(verdict), now};
  const bool recently = now >= known.told_at && now - known.told_at < kSameAgain;
  if (same && recently) return false;
  news_.insert(connection);
  known.told_at = now;
  return true;
}

std::vector<ConnectionUse> ConnectionHealth::take_news() {
  std::vector<ConnectionUse> news;
  while (!news_.empty() && news.size() < kMaxNews) {
    news.push_back(known_.at(*news_.begin()).use);
    news_.erase(news_.begin());
  }
  return news;
}

void ConnectionHealth::tell_all_again() {
  for (const auto& [connection, known] : known_) news_.insert(connection);
}

std::vector<ConnectionUse> ConnectionHealth::all() const {
  std::vector<ConnectionUse> all;
  all.reserve(known_.size());
  for (const auto& [connection, known] : known_) all.push_back(known.use);
  return all;
}

}  // namespace sallyport::runner
