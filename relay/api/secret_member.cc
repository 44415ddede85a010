#include "relay/api/secret_member.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

namespace sallyport::api {
namespace {

constexpr char kMark = '\x7f';
constexpr std::string_view kBlanks = " \t\r\n";

// Where the text begins and ends that follows `"name" :` for the first time.
std::optional<std::span<char>> place_of(std::string& json, std::string_view name) {
  auto at = json.find(fmt::format("\"{}\"", name));
  if (at == json.npos) return std::nullopt;
  at += name.size() + 2;
  for (const char wanted : {':', '"'}) {
    at = json.find_first_not_of(kBlanks, at);
    if (at == json.npos || json[at] != wanted) return std::nullopt;
    ++at;
  }
  for (auto end = at; end < json.size(); ++end) {
    if (json[end] == '"') return std::span(json).subspan(at, end - at);
    if (json[end] == '\\') ++end;
  }
  return std::nullopt;
}

std::optional<unsigned> hex4(std::string_view text) {
  unsigned unit = 0;
  if (text.size() < 4) return std::nullopt;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + 4, unit, 16);
  return problem == std::errc() && end == text.data() + 4 ? std::optional(unit) : std::nullopt;
}

void append_utf8(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

// The character of "uXXXX", or of two of them for one beyond 16 bits; `text` begins behind the u, and then behind it.
std::optional<char32_t> unicode_escape(std::string_view& text) {
  const auto first = hex4(text);
  if (!first) return std::nullopt;
  text.remove_prefix(4);
  if (*first < 0xd800 || *first > 0xdfff) return *first;
  const auto second = text.starts_with("\\u") ? hex4(text.substr(2)) : std::nullopt;
  if (*first > 0xdbff || !second || *second < 0xdc00 || *second > 0xdfff) return std::nullopt;
  text.remove_prefix(6);
  return 0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00);
}

// `text` begins behind the backslash, and then behind the escape.
bool append_escaped(std::string& out, std::string_view& text) {
  constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  if (text.empty()) return false;
  const char name = text.front();
  text.remove_prefix(1);
  if (const auto known = kNames.find(name); known != kNames.npos) {
    out += kMeanings[known];
    return true;
  }
  const auto character = name == 'u' ? unicode_escape(text) : std::nullopt;
  if (character) append_utf8(out, *character);
  return character.has_value();
}

bool unescape(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c != '\\') {
      out += c;
    } else if (!append_escaped(out, text)) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<SecretMember> SecretMember::take(std::string& json, std::string_view name) {
  if (json.find(kMark) != json.npos) return std::nullopt;
  const auto place = place_of(json, name);
  if (!place) return std::nullopt;
  std::string raw(place->begin(), place->end());
  std::ranges::fill(*place, kMark);
  return SecretMember(name, Secret::take(raw));
}

bool SecretMember::is_member_of(const Value& object) const {
  const auto* member = object.find(name_);
  return member != nullptr && member->is(Value::Kind::string) && member->as_string() == std::string(raw_.size(), kMark);
}

std::optional<Secret> SecretMember::text() const {
  std::string text;
  text.reserve(raw_.size());  // an escape is longer than what it means: nothing moves, and leaves a copy
  const bool is_json = unescape(text, raw_.reveal());
  auto secret = Secret::take(text);
  if (!is_json) return std::nullopt;
  return secret;
}

}  // namespace sallyport::api
