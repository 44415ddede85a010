#include "shared/expr/carrying.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::expr {
namespace {

constexpr std::array<std::string_view, 8> kAlways = {"bytes",      "base64.encode", "join", "dyn",
                                                     "lowerAscii", "upperAscii",    "trim", "reverse"};

bool is_secret(const Value& value) { return has(value.label(), Label::secret); }

// Of numbers the sum may overflow.
bool can_be_joined(const Value& value) {
  return value.is(Value::Kind::string) || value.is(Value::Kind::bytes) || value.is(Value::Kind::list);
}

}  // namespace

bool only_carries(const Function& function, std::span<const Value> arguments) {
  const auto every_secret = [&](auto fits) {
    return std::ranges::all_of(arguments, [&](const Value& value) { return !is_secret(value) || fits(value); });
  };
  if (function.name == "+") return every_secret(can_be_joined);
  if (function.name == "string") return every_secret([](const Value& value) { return !value.is(Value::Kind::bytes); });
  if (function.name == "[]") return !is_secret(arguments[1]);
  return std::ranges::find(kAlways, function.name) != kAlways.end();
}

Failure looks_into(std::string_view what) {
  return {.message =
              fmt::format("{} may not depend on a secret: a secret can be joined with '+' or '${{{{ }}}}', encoded and "
                          "given on, and decides nothing",
                          what)};
}

}  // namespace sallyport::expr
