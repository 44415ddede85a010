#include "agent/connectors/http/target.h"

#include <algorithm>

namespace sallyport::connectors::http {
namespace {

void skip_spaces(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
}

// What stands before the first of `ends`, which stays.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const auto taken = text.substr(0, std::min(text.find_first_of(ends), text.size()));
  text.remove_prefix(taken.size());
  return taken;
}

std::string take_value(std::string_view& text) {
  if (!text.starts_with('"')) {
    auto word = take_until(text, ";,");
    while (word.ends_with(' ') || word.ends_with('\t')) word.remove_suffix(1);
    return std::string(word);
  }
  std::string value;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text.front();
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

bool is_same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

bool names_next(std::string_view relations) {
  while (!relations.empty()) {
    skip_spaces(relations);
    const auto word = take_until(relations, " \t");
    if (is_same_word(word, "next")) return true;
  }
  return false;
}

// The parameters of one link, up to the comma after it.
bool take_parameters(std::string_view& text) {
  bool next = false, seen = false;
  while (skip_spaces(text), text.starts_with(';')) {
    text.remove_prefix(1);
    skip_spaces(text);
    auto name = take_until(text, "=;, \t");
    skip_spaces(text);
    if (!text.starts_with('=')) continue;
    text.remove_prefix(1);
    skip_spaces(text);
    const auto value = take_value(text);
    if (!is_same_word(name, "rel") || seen) continue;  // the first counts, RFC 8288 section 3.3
    seen = true;
    next = names_next(value);
  }
  return next;
}

}  // namespace

std::string next_link(std::string_view header) {
  while (true) {
    take_until(header, "<");
    if (header.empty()) return {};
    header.remove_prefix(1);
    const auto target = take_until(header, ">");
    if (header.empty()) return {};
    header.remove_prefix(1);
    if (take_parameters(header)) return std::string(target);
  }
}

}  // namespace sallyport::connectors::http
