#include "shared/expr/patterns.h"

#include <algorithm>

namespace sallyport::expr {
namespace {

constexpr std::string_view kTooMany =
    "the patterns of matches() are too large together; write fewer or smaller ones, or several as one with '|'";
constexpr std::uint64_t kKeeping = 2000;         // the memory of a small pattern's automaton, as work
constexpr std::uint64_t kKeepingLarge = 60'000;  // of one that did not fit the small limit
constexpr std::uint64_t kLarge = 2500;           // compiling costs above this may have needed the large limit

}  // namespace

std::expected<Pattern, std::string> Patterns::compile(std::string_view text) {
  if (const auto found = known_.find(text); found != known_.end()) return found->second;
  const auto spend = [this](std::uint64_t cost) {
    const bool enough = cost <= left_;
    left_ -= std::min(cost, left_);
    return enough;
  };
  if (!spend(reading_cost(text, PatternOrigin::literal) + kKeeping)) return std::unexpected(std::string(kTooMany));
  const auto compiled = compile_pattern(text, PatternOrigin::literal);
  const auto cost = compiling_cost(compiled, PatternOrigin::literal);
  if (!spend(cost + (cost > kLarge ? kKeepingLarge : 0))) return std::unexpected(std::string(kTooMany));
  auto kept = compiled ? std::expected<Pattern, std::string>(*compiled) : std::unexpected(compiled.error().message);
  return known_.emplace(text, std::move(kept)).first->second;
}

const RecentPatterns::Compiled* RecentPatterns::find(std::string_view text) const {
  const auto found = std::ranges::find(entries_, text, &Entry::text);
  return found == entries_.end() ? nullptr : &found->compiled;
}

const RecentPatterns::Compiled& RecentPatterns::keep(std::string_view text, Compiled compiled) {
  if (entries_.size() < kKept) return entries_.emplace_back(std::string(text), std::move(compiled)).compiled;
  auto& entry = entries_[next_++ % kKept];
  entry = {std::string(text), std::move(compiled)};
  return entry.compiled;
}

}  // namespace sallyport::expr
