#include "expr_support.h"

#include "shared/base/json.h"

#include <cmath>

namespace sallyport::expr::test {
namespace {

using Kind = Value::Kind;

std::string shown_double(double number) {
  if (number == 0 && std::signbit(number)) return "-0.0";
  auto text = to_json(Value(number));
  if (!std::isfinite(number)) return text.substr(1, text.size() - 2);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string shown_map(const ValueMap& map) {
  std::string out = "{";
  for (const auto& [key, value] : map) out += (out.size() > 1 ? ", " : "") + shown(key) + ": " + shown(value);
  return out + "}";
}

std::string unquoted(const Value& value) {
  const auto text = to_json(value);
  return text.substr(1, text.size() - 2);
}

std::string evaluated(std::string_view source, const Activation& bindings, const std::vector<std::string>& names,
                      Checking checking) {
  Environment environment;
  for (const auto& name : names) environment.declare(name);
  const auto program = compile(source, environment, checking);
  if (!program) return "error: " + program.error().message;
  const auto value = evaluate(*program, bindings);
  return value ? shown(*value) : "error: " + value.error().message;
}

void compare(const Case& one, const std::string& actual) {
  INFO(one.source);
  if (one.expected.starts_with("error: ")) {
    CHECK_THAT(actual, Catch::StartsWith("error: "));
    CHECK_THAT(actual, Catch::Contains(std::string(one.expected.substr(7))));
  } else {
    CHECK(actual == one.expected);
  }
}

}  // namespace

std::string shown(const Value& value) {
  switch (value.kind()) {
    case Kind::uint64: return std::to_string(value.as_uint()) + "u";
    case Kind::float64: return shown_double(value.as_double());
    case Kind::string: return "'" + value.as_string() + "'";
    case Kind::bytes: return "b64(" + base64(value.as_bytes()) + ")";
    case Kind::map: return shown_map(value.as_map());
    case Kind::timestamp: return "timestamp(" + unquoted(value) + ")";
    case Kind::duration: return "duration(" + unquoted(value) + ")";
    case Kind::type: return "type(" + value.as_type().name + ")";
    case Kind::handle: return "handle(" + value.as_handle().kind + ")";
    case Kind::list: break;
    default: return to_json(value);
  }
  std::string out = "[";
  for (const auto& element : value.as_list()) out += (out.size() > 1 ? ", " : "") + shown(element);
  return out + "]";
}

std::string result(std::string_view source, const Activation& bindings, const std::vector<std::string>& names) {
  return evaluated(source, bindings, names, Checking::strict);
}
std::string unchecked(std::string_view source, const Activation& bindings, const std::vector<std::string>& names) {
  return evaluated(source, bindings, names, Checking::off);
}

void check_all(const std::vector<Case>& cases) {
  for (const auto& one : cases) compare(one, result(one.source));
}
void check_all_unchecked(const std::vector<Case>& cases) {
  for (const auto& one : cases) compare(one, unchecked(one.source));
}

}  // namespace sallyport::expr::test
