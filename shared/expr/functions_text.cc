#include "shared/base/result.h"
#include "shared/expr/functions.h"

#include <array>

namespace sallyport::expr {
namespace {

using Kind = Value::Kind;

Answer contains(const Call& call) {
  if (!call.are(Kind::string, Kind::string)) return no_overload();
  SP_CHECK(pay_for_search(call[0].as_string(), call[1].as_string(), call.budget));
  return Value(call[0].as_string().contains(call[1].as_string()));
}

// At one end of the text, whatever its length.
template <class Test>
Answer tested(const Call& call, Test test) {
  if (!call.are(Kind::string, Kind::string)) return no_overload();
  const std::string_view text = call[0].as_string(), part = call[1].as_string();
  SP_CHECK(call.budget.spend_bytes(part.size()));
  return Value(test(text, part));
}
Answer starts_with(const Call& call) {
  return tested(call, [](auto text, auto part) { return text.starts_with(part); });
}
Answer ends_with(const Call& call) {
  return tested(call, [](auto text, auto part) { return text.ends_with(part); });
}

Answer found(const re2::RE2& pattern, std::string_view text, Budget& budget) {
  SP_CHECK(budget.spend(match_cost(pattern, text)));
  return Value(found_by(pattern, text));
}

std::expected<Pattern, Failure> computed_pattern(std::string_view text, const Call& call) {
  SP_CHECK(call.budget.spend_bytes(text.size()));
  const auto* known = call.patterns.find(text);
  if (known == nullptr) {
    constexpr auto kOrigin = PatternOrigin::computed;
    SP_CHECK(call.budget.spend(reading_cost(text, kOrigin)));
    const auto compiled = compile_pattern(text, kOrigin);
    SP_CHECK(call.budget.spend(compiling_cost(compiled, kOrigin)));
    known = &call.patterns.keep(
        text, compiled ? RecentPatterns::Compiled(*compiled) : std::unexpected(compiled.error().message));
  }
  if (!*known) return failed("invalid_argument: " + known->error());
  return **known;
}

Answer matches(const Call& call) {
  if (!call.are(Kind::string, Kind::string)) return no_overload();
  const auto& text = call[0].as_string();
  SP_CHECK(call.budget.spend_bytes(text.size()));
  if (call.pattern != nullptr) return found(*call.pattern, text, call.budget);
  SP_TRY(const auto pattern, computed_pattern(call[1].as_string(), call));
  return found(*pattern, text, call.budget);
}

constexpr std::string_view kTest = "string, string -> bool";

constexpr std::array kFunctions = {
    Function{"contains", Style::receiver, kTest, contains},
    Function{"startsWith", Style::receiver, kTest, starts_with},
    Function{"endsWith", Style::receiver, kTest, ends_with},
    Function{"matches", Style::receiver, kTest, matches},
    Function{"matches", Style::global, kTest, matches},
};

}  // namespace

std::span<const Function> text_functions() { return kFunctions; }

}  // namespace sallyport::expr
