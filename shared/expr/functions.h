#pragma once

#include "shared/expr/failure.h"
#include "shared/expr/patterns.h"
#include "shared/expr/type.h"

#include <optional>
#include <span>
#include <string_view>

namespace sallyport::expr {

struct Call {
  std::span<const Value> arguments;
  Budget& budget;
  RecentPatterns& patterns;
  const re2::RE2* pattern = nullptr;  // the second argument of matches(), compiled, when it is a literal

  const Value& operator[](std::size_t i) const { return arguments[i]; }
  std::size_t size() const { return arguments.size(); }
  template <class... Kinds>
  bool are(Kinds... kinds) const {
    std::size_t i = 0;
    return sizeof...(kinds) == arguments.size() && (arguments[i++].is(kinds) && ...);
  }
};

enum class Style { global, receiver };  // f(x), x.f()
// What a result's label is made of: the labels of everything in the arguments, or only those of the arguments
// themselves, because the function looks no deeper and hands elements through with their own labels.
enum class Taint { deep, shallow };

// A function or operator. `signature` lists its overloads: "string, int -> string; list(A) -> int"; a parameter that
// ends in "..." takes one or more arguments. `body` is called with a number of arguments that some overload has, checks
// their kinds itself, and pays from the budget before it works.
struct Function {
  std::string_view name;
  Style style;
  std::string_view signature;
  Answer (*body)(const Call&);
  Taint taint = Taint::deep;
  // What overloads cannot say: the type of the result for these arguments, nullopt when they do not fit. The signature
  // then only says how many there may be. Null: the overloads say it all.
  std::optional<Type> (*typed)(std::span<const Type>) = nullptr;
};

struct Overload {
  std::vector<Type> parameters;
  Type result;
  bool variadic = false;  // the last parameter may repeat

  bool takes(std::size_t arguments) const {
    return variadic ? arguments >= parameters.size() : arguments == parameters.size();
  }
};
std::vector<Overload> overloads_of(const Function& function);

// For looking for `part` everywhere in `text`: what reading both costs, and their product, as the search may have to
// do.
std::expected<void, Failure> pay_for_search(std::string_view text, std::string_view part, Budget& budget);

const Function* find_function(std::string_view name, Style style);
// Every name of this style that people write, for hints.
std::vector<std::string_view> function_names(Style style);

std::span<const Function> operator_functions();
std::span<const Function> conversion_functions();
std::span<const Function> text_functions();
std::span<const Function> text_extension_functions();
std::span<const Function> collection_functions();
std::span<const Function> time_functions();
std::span<const Function> math_functions();

}  // namespace sallyport::expr
