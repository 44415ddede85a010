#include "shared/base/json.h"
#include "shared/base/text.h"
#include "shared/recipe/argument.h"
#include "shared/recipe/catalogue.h"
#include "shared/recipe/check.h"
#include "shared/recipe/problem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::recipe {
namespace {

using Kind = Value::Kind;

Value as_duration(std::chrono::milliseconds length) {
  return Value(Duration{length.count() / 1'000, static_cast<std::int32_t>(length.count() % 1'000 * 1'000'000)});
}

// The value as connectors see it: durations as such, unsigned integers that fit as signed ones.
Value normalised(const Field& field, const Value& value) {
  if (has(field.types, Types::any)) return value;
  if (has(field.types, Types::duration) && value.is(Kind::string)) {
    return as_duration(parse_duration(value.as_string()).value_or(std::chrono::milliseconds(0)))
        .with_label(value.label());
  }
  if (has(field.types, Types::integer) && value.is(Kind::uint64)) {
    return Value(static_cast<std::int64_t>(value.as_uint())).with_label(value.label());
  }
  return value;
}

class Binder {
 public:
  Value bind(std::span<const Field> fields, const Value& given, const std::string& path) {
    if (!given.is(Kind::map)) return fault(path, "wrong-type", "the arguments must be a mapping"), Value();
    refuse_unknown(fields, given, path);
    ValueMap bound;
    for (const auto& field : fields) {
      const Value* value = given.find(field.name);
      const bool absent = value == nullptr || (value->is_null() && !has(field.types, Types::any));
      if (!absent) {
        bound.emplace(Value(field.name), one(field, value->with_label(given.label()), below(path, field.name)));
      } else if (field.required()) {
        fault(path, "missing-field", fmt::format("`{}` is missing", field.name));
      } else if (!field.default_json.empty()) {
        bound.emplace(Value(field.name), normalised(field, parse_json(field.default_json).value_or(Value())));
      }
    }
    return Value(std::move(bound)).with_label(given.label());
  }

  void need_one_of(std::span<const std::string_view> names, const Value& bound) {
    if (names.empty() || !bound.is(Kind::map)) return;
    const auto given = std::ranges::count_if(names, [&](auto name) { return bound.find(name) != nullptr; });
    if (given != 1) fault({}, "missing-field", fmt::format("exactly one of {} must be given", fmt::join(names, ", ")));
  }

  // Fields that must be written out, of the mapping that `written` is.
  void need_literals(std::span<const Field> fields, const Argument& written, const std::string& path) {
    for (const auto& field : fields) {
      const auto* given = written.find(field.name);
      if (given == nullptr || given->is_literal() || !must_be_written_out(field)) continue;
      const auto where = below(path, field.name);
      const auto* items = has(field.traits, Traits::literal_only) ? nullptr : given->items();
      if (items == nullptr) {
        fault(where, "literal-only", fmt::format("`{}` must be literal", field.name));
        continue;
      }
      for (std::size_t i = 0; i < items->size(); ++i) {
        need_literal_members(field.inside, (*items)[i], fmt::format("{}[{}]", where, i));
      }
    }
  }

  std::vector<ArgumentFault> faults;

 private:
  void need_literal_members(std::span<const Field> fields, const Argument& item, const std::string& path) {
    if (!item.is_literal() && !item.is_map()) return fault(path, "literal-only", "must be a mapping, written out");
    need_literals(fields, item, path);
  }

  static std::string below(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
  }

  void fault(const std::string& path, std::string_view rule, std::string message) {
    faults.push_back({path, std::string(rule), std::move(message)});
  }

  void refuse_unknown(std::span<const Field> fields, const Value& given, const std::string& path) {
    for (const auto& [key, value] : given.as_map()) {
      const bool nameable = key.is(Kind::string) && (key.label() | given.label()) == Label::none;
      const std::string_view name = key.is(Kind::string) ? std::string_view(key.as_string()) : "?";
      if (find_field(fields, name) != nullptr) continue;
      fault(path, "unknown-field",
            nameable ? fmt::format("unknown field {}{}", yaml::quoted(name), yaml::suggestion(name, names_of(fields)))
                     : "unknown field");
    }
  }

  Value one(const Field& field, const Value& value, const std::string& path) {
    if (!has(field.traits, Traits::accepts_secret) && field.inside.empty() && has(deep_label(value), Label::secret)) {
      fault(path, "secret-sink", fmt::format("`{}` may not take a value derived from a secret", field.name));
      return {};
    }
    if (auto problem = check_value(field, value)) {
      if (lacks_quotes(field, value)) problem->message += ": make text of it with string()";
      fault(path, problem->rule, std::move(problem->message));
      return {};
    }
    if (field.inside.empty() || !value.is(Kind::list)) return normalised(field, value);
    ValueList items;
    for (std::size_t i = 0; i < value.as_list().size(); ++i) {
      items.push_back(bind(field.inside, value.as_list()[i].with_label(value.label()), fmt::format("{}[{}]", path, i)));
    }
    return Value(std::move(items)).with_label(value.label());
  }
};

std::expected<Value, std::vector<ArgumentFault>> bind_all(std::span<const Field> fields,
                                                          std::span<const std::string_view> exactly_one,
                                                          const Value& arguments) {
  Binder binder;
  auto bound = binder.bind(fields, arguments, {});
  binder.need_one_of(exactly_one, bound);
  if (!binder.faults.empty()) return std::unexpected(std::move(binder.faults));
  return bound;
}

}  // namespace

std::expected<Value, std::vector<ArgumentFault>> bind_arguments(const ActionInfo& action, const Argument& written,
                                                                const Value& arguments) {
  Binder binder;
  binder.need_literals(action.fields, written, {});
  if (!binder.faults.empty()) return std::unexpected(std::move(binder.faults));
  return bind_arguments(action, arguments);
}

std::expected<Value, std::vector<ArgumentFault>> bind_arguments(const ActionInfo& action, const Value& arguments) {
  return bind_all(action.fields, action.exactly_one, arguments);
}

std::expected<Value, std::vector<ArgumentFault>> bind_arguments(const TriggerInfo& trigger, const Value& arguments) {
  return bind_all(trigger.fields, {}, arguments);
}

}  // namespace sallyport::recipe
