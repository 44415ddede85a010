#include "agent/policy/dn.h"

#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::policy {
namespace {

constexpr std::size_t kLongest = 8192;
constexpr std::size_t kMostLevels = 64;
constexpr std::size_t kMostParts = 8;
constexpr std::string_view kSpecial = "\"+,;<>\\";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<Error> wrong(std::string_view why) {
  return fail(Errc::invalid, fmt::format("a distinguished name cannot be read: {}", why));
}

// Cuts the text at separators and takes escapes away.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<std::vector<Dn::Level>> read() {
    std::vector<Dn::Level> levels;
    skip_spaces();
    if (at_end()) return levels;
    do {
      SP_TRY(auto level, read_level());
      levels.push_back(std::move(level));
      if (levels.size() > kMostLevels) return wrong("it has too many levels");
    } while (take(','));
    if (!at_end()) return wrong("a character in it has to be escaped");
    return levels;
  }

 private:
  Result<Dn::Level> read_level() {
    Dn::Level level;
    do {
      SP_TRY(auto type, read_type());
      SP_TRY(auto value, read_value());
      level.push_back({std::move(type), std::move(value)});
      if (level.size() > kMostParts) return wrong("a level of it has too many parts");
    } while (take('+'));
    return level;
  }

  Result<std::string> read_type() {
    skip_spaces();
    const auto begin = at_;
    while (!at_end() && (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '-')) ++at_;
    const std::string type(text_.substr(begin, at_ - begin));
    skip_spaces();
    if (!is_attribute_name(type) || !take('=')) return wrong("each of its parts is written name=value");
    return type;
  }

  Result<std::string> read_value() {
    skip_spaces();
    if (!at_end() && text_[at_] == '#') return wrong("a value in it is written as #hex; write it as text");
    std::string value;
    std::size_t kept = 0;  // what is before this is no space to be trimmed
    while (!at_end() && text_[at_] != ',' && text_[at_] != '+') {
      const char c = text_[at_++];
      if (c == '\0' || kSpecial.contains(c)) {
        if (c != '\\') return wrong("a character in it has to be escaped");
        SP_TRY(const char escaped, read_escaped());
        value += escaped;
        kept = value.size();
      } else {
        value += c;
        if (c != ' ') kept = value.size();
      }
    }
    value.resize(kept);
    if (value.empty()) return wrong("a value in it is empty");
    if (!is_valid_utf8(value)) return wrong("a value in it is not UTF-8");
    return value;
  }

  Result<char> read_escaped() {
    if (at_end()) return wrong("it ends with a backslash");
    const char c = text_[at_];
    if (kSpecial.contains(c) || c == ' ' || c == '#' || c == '=') {
      ++at_;
      return c;
    }
    const auto byte = from_hex(text_.substr(at_, 2));
    if (!byte || byte->size() != 1) return wrong("a backslash in it escapes nothing");
    at_ += 2;
    return static_cast<char>(byte->front());
  }

  void skip_spaces() {
    while (!at_end() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool at_end() const { return at_ == text_.size(); }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string escaped(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const bool outer_space = c == ' ' && (i == 0 || i + 1 == value.size());
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\{:02X}", static_cast<unsigned char>(c));
    } else {
      if (outer_space || kSpecial.contains(c) || c == '=' || (c == '#' && i == 0)) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string folded(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += lower(c);
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

Dn::Level folded(Dn::Level level) {
  for (auto& [type, value] : level) {
    type = folded(type);
    value = folded(value);
  }
  std::ranges::sort(level, {}, [](const Dn::Part& part) { return std::pair(part.type, part.value); });
  return level;
}

}  // namespace

bool is_attribute_name(std::string_view name) {
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
  return !name.empty() && name.size() <= 128 && is_letter(name.front()) && std::ranges::all_of(name, fits);
}

Result<Dn> Dn::parse(std::string_view text) {
  if (text.size() > kLongest) return wrong("it is too long");
  SP_TRY(auto levels, Reader(text).read());
  Dn dn;
  dn.levels_ = std::move(levels);
  return dn;
}

Result<Dn> Dn::below(Level name, const Dn& parent) {
  if (name.empty() || name.size() > kMostParts) return wrong("a level of it has no parts, or too many");
  for (const auto& [type, value] : name) {
    if (!is_attribute_name(type)) return wrong("each of its parts has the name of an attribute");
    if (value.empty() || value.size() > kLongest) return wrong("a value in it is empty, or too long");
    if (!is_valid_utf8(value)) return wrong("a value in it is not UTF-8");
  }
  if (parent.levels_.size() >= kMostLevels) return wrong("it has too many levels");
  Dn dn;
  dn.levels_.push_back(std::move(name));
  dn.levels_.insert(dn.levels_.end(), parent.levels_.begin(), parent.levels_.end());
  return dn;
}

std::string level_text(const Dn::Level& level) {
  std::string out;
  for (const auto& [type, value] : level) out += fmt::format("{}{}={}", out.empty() ? "" : "+", type, escaped(value));
  return out;
}

std::string Dn::text() const {
  std::string out;
  for (const auto& level : levels_) out += (out.empty() ? "" : ",") + level_text(level);
  return out;
}

Dn Dn::parent() const {
  Dn dn;
  dn.levels_.assign(levels_.begin() + 1, levels_.end());
  return dn;
}

std::optional<Dn> Dn::within(const Dn& base) const {
  if (levels_.size() < base.levels_.size()) return std::nullopt;
  const auto own = levels_.size() - base.levels_.size();
  for (std::size_t i = 0; i < base.levels_.size(); ++i) {
    if (folded(levels_[own + i]) != folded(base.levels_[i])) return std::nullopt;
  }
  Dn dn;
  dn.levels_.assign(levels_.begin(), levels_.begin() + static_cast<std::ptrdiff_t>(own));
  dn.levels_.insert(dn.levels_.end(), base.levels_.begin(), base.levels_.end());
  return dn;
}

}  // namespace sallyport::policy
