#include "agent/connectors/ftps/listing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <memory>

namespace sallyport::connectors::ftps {
namespace {

using remote::Kind;
using namespace std::string_view_literals;

constexpr std::array kMonths{"Jan"sv, "Feb"sv, "Mar"sv, "Apr"sv, "May"sv, "Jun"sv,
                             "Jul"sv, "Aug"sv, "Sep"sv, "Oct"sv, "Nov"sv, "Dec"sv};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool are_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }

std::string lower(std::string_view text) {
  std::string folded(text);
  std::ranges::transform(folded, folded.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return folded;
}

Kind kind_of(std::string_view type) {
  if (type == "file") return Kind::file;
  return type == "dir" || type == "cdir" || type == "pdir" ? Kind::directory : Kind::other;
}

// Takes a word and the blanks before it off the text.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

bool is_day(std::string_view word) { return word.size() <= 2 && are_digits(word); }
bool is_year_or_time(std::string_view word) {
  const bool is_time = (word.size() == 5 || word.size() == 4) && word[word.size() - 3] == ':';
  return is_time || (word.size() == 4 && are_digits(word));
}

// After the permissions: number of links, owner, group (not everywhere), size, month, day, year or time, one blank.
std::optional<Listed> parse_unix(std::string_view line) {
  Listed entry;
  entry.facts.kind = line[0] == '-' ? Kind::file : line[0] == 'd' ? Kind::directory : Kind::other;
  std::string_view rest = line, before;
  for (int words = 0; words < 12 && !rest.empty(); ++words) {
    const auto word = take_word(rest);
    const bool is_month = words >= 3 && std::ranges::find(kMonths, word) != kMonths.end();
    auto after = rest;
    const auto size = parse_size(before);
    if (is_month && size && is_day(take_word(after)) && is_year_or_time(take_word(after)) && after.starts_with(' ')) {
      entry.facts.file.size = *size;
      entry.name = after.substr(1);
      return entry;
    }
    before = word;
  }
  return std::nullopt;
}

// "01-31-26  09:24AM  <DIR>  name", or a size instead.
std::optional<Listed> parse_windows(std::string_view line) {
  std::string_view rest = line;
  const auto date = take_word(rest), time = take_word(rest), what = take_word(rest);
  const bool is_date = (date.size() == 8 || date.size() == 10) && date[2] == '-' && date[5] == '-';
  const bool is_time = time.size() >= 5 && time[2] == ':';
  if (!is_date || !is_time || !rest.starts_with(' ')) return std::nullopt;
  Listed entry;
  const auto size = parse_size(what);
  if (size) {
    entry.facts.kind = Kind::file;
    entry.facts.file.size = *size;
    entry.name = rest.substr(1);
    return entry;
  }
  if (what != "<DIR>" && what != "<JUNCTION>" && what != "<SYMLINKD>" && what != "<SYMLINK>") return std::nullopt;
  if (what == "<DIR>") entry.facts.kind = Kind::directory;
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  entry.name = rest;
  return entry;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto* const end = std::to_address(text.end());
  const auto [stop, problem] = std::from_chars(std::to_address(text.begin()), end, size);
  const bool fits = problem == std::errc() && stop == end && size <= std::uint64_t{INT64_MAX};
  return fits ? std::optional(size) : std::nullopt;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto part = point == std::string_view::npos ? ""sv : text.substr(point + 1);
  if (whole.size() != 14 || !are_digits(whole) || part.size() > 9) return std::nullopt;
  if (point != std::string_view::npos && !are_digits(part)) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = 0;
    for (const char c : whole.substr(at, size)) value = value * 10 + (c - '0');
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year(number(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(number(4, 2))),
                                        std::chrono::day(static_cast<unsigned>(number(6, 2)))};
  const int hour = number(8, 2), minute = number(10, 2), second = number(12, 2);
  if (!day.ok() || day.year() < std::chrono::year(1900) || day.year() > std::chrono::year(2200) || hour > 23 ||
      minute > 59 || second > 60)
    return std::nullopt;
  std::int64_t nanoseconds = 0;
  for (std::size_t i = 0; i < 9; ++i) nanoseconds = nanoseconds * 10 + (i < part.size() ? part[i] - '0' : 0);
  const auto days = std::chrono::sys_days(day).time_since_epoch().count();
  const std::int64_t seconds = ((days * 24LL + hour) * 60 + minute) * 60 + second;
  return seconds * 1'000'000'000 + nanoseconds;
}

std::optional<Listed> parse_facts(std::string_view line) {
  Listed entry;
  while (!line.starts_with(' ')) {
    const auto end = line.find(';');
    if (end == std::string_view::npos) return std::nullopt;
    const auto fact = line.substr(0, end);
    line.remove_prefix(end + 1);
    const auto equals = std::min(fact.find('='), fact.size());
    const auto name = lower(fact.substr(0, equals));
    const auto value = fact.substr(std::min(equals + 1, fact.size()));
    if (name == "type") entry.facts.kind = kind_of(lower(value));
    if (name == "size") entry.facts.file.size = parse_size(value).value_or(0);
    const auto time = name == "modify" ? parse_time(value) : std::nullopt;
    if (time) {
      entry.facts.file.mtime_ns = *time;
      entry.has_time = true;
    }
  }
  entry.name = line.substr(1);
  return entry;
}

std::optional<std::optional<Listed>> parse_list(std::string_view line) {
  using Found = std::optional<std::optional<Listed>>;
  if (line.empty() || line.starts_with("total ")) return Found(std::in_place);
  auto entry = is_digit(line[0])                                    ? parse_windows(line)
               : line.size() > 10 && "-dlbcpsD"sv.contains(line[0]) ? parse_unix(line)
                                                                    : std::nullopt;
  return entry ? Found(std::in_place, std::move(entry)) : std::nullopt;
}

}  // namespace sallyport::connectors::ftps
