#include "shared/recipe/check.h"

#include "shared/base/text.h"
#include "shared/recipe/cron.h"
#include "shared/recipe/problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::recipe {
namespace {

constexpr std::size_t kMaxGlob = 255;

using Kind = Value::Kind;

bool is_handle_of(const Value& value, std::initializer_list<std::string_view> kinds) {
  return value.is(Kind::handle) && std::ranges::find(kinds, value.as_handle().kind) != kinds.end();
}

bool fits(Types types, const Value& value) {
  if (has(types, Types::any)) return true;
  switch (value.kind()) {
    case Kind::boolean: return has(types, Types::boolean);
    case Kind::int64: return has(types, Types::integer) || has(types, Types::number);
    case Kind::uint64: return has(types, Types::number) || (has(types, Types::integer) && value.as_uint() <= INT64_MAX);
    case Kind::float64: return has(types, Types::number);
    case Kind::string: return has(types, Types::text) || has(types, Types::duration);
    case Kind::bytes: return has(types, Types::bytes);
    case Kind::duration: return has(types, Types::duration);
    case Kind::list: return has(types, Types::list);
    case Kind::map: return has(types, Types::map);
    case Kind::handle:
      return (has(types, Types::body) && is_handle_of(value, {"file", "spool"})) ||
             (has(types, Types::rows) && is_handle_of(value, {"rows"}));
    default: return false;
  }
}

std::optional<Fault> out_of_range(const Field& field, std::int64_t number) {
  if (number >= field.min && number <= field.max) return std::nullopt;
  return Fault{"out-of-range", fmt::format("`{}` must be from {} to {}", field.name, field.min, field.max)};
}

std::optional<Fault> check_duration(const Field& field, const Value& value) {
  std::optional<std::chrono::milliseconds> length;
  if (value.is(Kind::string)) length = parse_duration(value.as_string());
  if (value.is(Kind::duration) && value.as_duration().seconds < INT64_MAX / 1'000) {
    length = std::chrono::milliseconds(value.as_duration().seconds * 1'000 + value.as_duration().nanos / 1'000'000);
  }
  if (!length) {
    return Fault{"bad-duration",
                 fmt::format("`{}` must be a duration: `250ms`, `5s`, `10m`, `2h` or `14d`", field.name)};
  }
  if (length->count() >= field.min && length->count() <= field.max) return std::nullopt;
  return Fault{"out-of-range", fmt::format("`{}` must be from {} to {}", field.name,
                                           format_duration(std::chrono::milliseconds(field.min)),
                                           format_duration(std::chrono::milliseconds(field.max)))};
}

std::optional<Fault> check_text(const Field& field, const std::string& text) {
  if (!field.choices.empty() && std::ranges::find(field.choices, text) == field.choices.end()) {
    return Fault{"bad-choice", fmt::format("`{}` must be one of {}{}", field.name, fmt::join(field.choices, ", "),
                                           yaml::suggestion(text, field.choices))};
  }
  if (has(field.traits, Traits::glob)) {
    if (const auto problem = glob_problem(text); !problem.empty()) {
      return Fault{"bad-glob", fmt::format("`{}`: {}", field.name, problem)};
    }
  }
  if (has(field.traits, Traits::cron)) {
    if (const auto schedule = Cron::parse(text); !schedule) {
      return Fault{"bad-cron", fmt::format("`{}`: {}", field.name, schedule.error().message)};
    }
  }
  if (has(field.traits, Traits::time_zone)) {
    if (const auto known = check_time_zone(text); !known) {
      return Fault{"bad-time-zone", fmt::format("`{}`: {}", field.name, known.error().message)};
    }
  }
  return std::nullopt;
}

std::string_view name_of(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return "nothing";
    case Kind::boolean: return "true or false";
    case Kind::int64:
    case Kind::uint64: return "an integer";
    case Kind::float64: return "a number";
    case Kind::string: return "text";
    case Kind::list: return "a list";
    case Kind::map: return "a mapping";
    case Kind::handle: return "a body of another kind";
    default: return to_string(value.kind());
  }
}

}  // namespace

bool must_be_written_out(const Field& field) {
  return has(field.traits, Traits::literal_only) || std::ranges::any_of(field.inside, must_be_written_out);
}

std::string glob_problem(std::string_view pattern) {
  if (pattern.empty() || pattern.size() > kMaxGlob) return "a pattern has 1 to 255 characters";
  if (pattern.find_first_of("/\\") != std::string_view::npos) {
    return "a pattern is for file names: the directory goes into `path`";
  }
  for (auto open = pattern.find('['); open != std::string_view::npos; open = pattern.find('[', open)) {
    const auto first = pattern.find_first_not_of("!^", open + 1);
    const auto close = first == std::string_view::npos ? first : pattern.find(']', first + 1);
    if (close == std::string_view::npos) return "`[` without `]`";
    open = close + 1;
  }
  return {};
}

bool lacks_quotes(const Field& field, const Value& value) {
  const bool is_scalar =
      value.is(Kind::boolean) || value.is(Kind::int64) || value.is(Kind::float64) || value.is(Kind::uint64);
  return is_scalar && has(field.types, Types::text) && !fits(field.types, value);
}

std::optional<Fault> check_value(const Field& field, const Value& value) {
  if (!fits(field.types, value)) {
    return Fault{"wrong-type",
                 fmt::format("`{}` must be {}, not {}", field.name, to_string(field.types), name_of(value))};
  }
  if (has(field.types, Types::any)) return std::nullopt;
  if (has(field.types, Types::duration) && !value.is(Kind::map)) return check_duration(field, value);
  if (value.is(Kind::int64)) return out_of_range(field, value.as_int());
  if (value.is(Kind::string)) return check_text(field, value.as_string());
  return std::nullopt;
}

const Field* find_field(std::span<const Field> fields, std::string_view name) {
  const auto it = std::ranges::find(fields, name, &Field::name);
  return it == fields.end() ? nullptr : &*it;
}

std::vector<std::string_view> names_of(std::span<const Field> fields) {
  std::vector<std::string_view> names;
  for (const auto& field : fields) names.push_back(field.name);
  return names;
}

}  // namespace sallyport::recipe
