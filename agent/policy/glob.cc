#include "agent/policy/glob.h"

#include "shared/base/text.h"

#include <cstddef>
#include <cstdint>

namespace sallyport::policy {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 0;
};

constexpr std::uint32_t kStrayByte = 0x110000;  // above every character: equal to the same byte only

// At the start of `text`, which is not empty. A byte of no valid UTF-8 sequence is a character of its own.
Character first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (!is_valid_utf8(text.substr(0, length)) || text.size() < length) return {kStrayByte + lead, 1};
  std::uint32_t code = lead & (0x7Fu >> length);
  for (const char c : text.substr(1, length - 1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3Fu);
  return {code, length};
}

struct Set {
  bool matches = false;
  std::size_t length = 0;  // of the bracket expression; 0 when it is not closed
};

Set match_set(std::string_view pattern, std::uint32_t code) {
  std::size_t at = 1;
  const bool negated = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (negated) ++at;
  bool found = false;
  for (const auto first = at; at < pattern.size();) {
    if (pattern[at] == ']' && at != first) return {found != negated, at + 1};
    const auto low = first_of(pattern.substr(at));
    auto high = low;
    at += low.length;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = first_of(pattern.substr(at + 1));
      at += 1 + high.length;
    }
    found = found || (low.code <= code && code <= high.code);
  }
  return {};
}

// How much of the pattern stands for exactly this character; 0 when it does not match.
std::size_t match_one(std::string_view pattern, std::uint32_t code) {
  if (pattern.empty()) return 0;
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    const auto set = match_set(pattern, code);
    return set.matches ? set.length : 0;
  }
  const auto literal = first_of(pattern);
  return literal.code == code ? literal.length : 0;
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
      continue;
    }
    const auto one = first_of(name.substr(n));
    if (const auto step = match_one(pattern.substr(p), one.code); step > 0) {
      p += step;
      n += one.length;
    } else if (star != kNone) {
      p = star + 1;
      resume += first_of(name.substr(resume)).length;
      n = resume;
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
