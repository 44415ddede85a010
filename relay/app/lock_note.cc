#include "relay/app/lock_note.h"

#include "relay/app/decimal.h"

#include <fmt/format.h>

#include <array>

namespace sallyport::app {
namespace {

constexpr std::string_view kOffered = "reload";
constexpr std::string_view kNotOffered = "-";
constexpr std::size_t kFields = 5;

std::optional<std::array<std::string_view, kFields>> fields_of(std::string_view line) {
  std::array<std::string_view, kFields> fields;
  for (std::size_t at = 0; at < kFields; ++at) {
    const auto end = line.find(at + 1 < kFields ? ' ' : '\n');
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    fields[at] = line.substr(0, end);
    line.remove_prefix(end + 1);
  }
  return line.empty() ? std::optional(fields) : std::nullopt;
}

}  // namespace

std::string to_text(const LockNote& note) {
  const auto& [number, started, number_space, boot] = note.holder;
  const auto reload = note.reload == Reload::offered ? kOffered : kNotOffered;
  return fmt::format("{} {} {} {} {}\n", number, started, number_space, boot, reload);
}

std::optional<LockNote> parse_lock_note(std::string_view text) {
  const auto fields = fields_of(text);
  if (!fields) return std::nullopt;
  const auto& [number, started, number_space, boot, reload] = *fields;
  LockNote note{{.boot = std::string(boot)}, reload == kOffered ? Reload::offered : Reload::not_offered};
  auto& holder = note.holder;
  const auto take = []<class Number>(std::string_view text, Number& into) {
    const auto value = parse_decimal<Number>(text);
    into = value.value_or(Number{});
    return value.has_value();
  };
  const bool numbers =
      take(number, holder.number) && take(started, holder.started) && take(number_space, holder.number_space);
  const bool whole = numbers && holder.number > 0 && (reload == kOffered || reload == kNotOffered);
  return whole ? std::optional(note) : std::nullopt;
}

}  // namespace sallyport::app
