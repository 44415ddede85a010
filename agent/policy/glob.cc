#include "agent/policy/glob.h"

#include <cstddef>

namespace sallyport::policy {
namespace {

struct Set {
  bool matches = false;
  std::size_t length = 0;  // of the bracket expression; 0 when it is not closed
};

Set match_set(std::string_view pattern, char c) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (const auto first = at; at < pattern.size(); ++at) {
    if (pattern[at] == ']' && at != first) return {found != negated, at + 1};
    const auto low = static_cast<unsigned char>(pattern[at]);
    auto high = low;
    if (at + 2 < pattern.size() && pattern[at + 1] == '-' && pattern[at + 2] != ']') {
      high = static_cast<unsigned char>(pattern[at + 2]);
      at += 2;
    }
    found = found || (low <= static_cast<unsigned char>(c) && static_cast<unsigned char>(c) <= high);
  }
  return {};
}

// How much of the pattern stands for exactly `c`; 0 when it does not match.
std::size_t match_one(std::string_view pattern, char c) {
  if (pattern.empty()) return 0;
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    const auto set = match_set(pattern, c);
    return set.matches ? set.length : 0;
  }
  return pattern[0] == c ? 1 : 0;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  if (name.starts_with('.') && !pattern.starts_with('.')) return false;
  constexpr auto kNone = std::string_view::npos;
  std::size_t p = 0, n = 0, star = kNone, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (const auto step = match_one(pattern.substr(p), name[n]); step > 0) {
      p += step;
      ++n;
    } else if (star != kNone) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_glob(std::string_view pattern) {
  if (pattern.empty() || pattern.contains('/')) return false;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '[') continue;
    const auto set = match_set(pattern.substr(at), 'x');
    if (set.length == 0) return false;
    at += set.length - 1;
  }
  return true;
}

}  // namespace sallyport::policy
