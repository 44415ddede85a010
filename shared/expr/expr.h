#pragma once

#include "shared/base/value.h"
#include "shared/expr/type.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The expression language of recipes: the Common Expression Language (cel-spec, "langdef") over our Value, with the
// standard functions and macros and the strings, math, encoders, bindings and two-variable comprehension extensions.
// No protobuf messages and enums. Pure: no clock, no IO, no state; the same inputs give the same result.
namespace sallyport::expr {

// What is wrong and where. `message` never contains data, only text of the expression itself and names of types.
struct Problem {
  std::string message;
  std::size_t offset = 0;     // bytes from the start of the source
  int line = 1;               // 1-based
  int column = 1;             // 1-based, in Unicode code points
  Label label = Label::none;  // of an evaluation: of everything that had a say in whether and where it failed

  friend bool operator==(const Problem&, const Problem&) = default;
};
template <class T>
using Outcome = std::expected<T, Problem>;

// "line 1, column 5: undeclared reference to 'stpes' (did you mean 'steps'?)"
std::string to_string(const Problem& problem);

enum class Checking {
  strict,  // types that are known must agree, every name must be declared
  off,     // names and types are resolved when (and if) they are evaluated
};

class Patterns;  // patterns.h

struct CompileLimits {
  std::size_t max_bytes = 64u << 10;
  std::size_t max_depth = 250;   // of nested brackets, and of the expression tree
  Patterns* patterns = nullptr;  // for expressions whose literal patterns count together; null: each on its own
};

// The names an expression may use. Copies are independent.
class Environment {
 public:
  // `name` may be qualified ("job.id"); the longest declared name wins over selecting a field.
  Environment& declare(std::string name, Type type = Type::Kind::dyn);
  // Names are looked up in this namespace first, then in its parents ("a.b": a.b.x, a.x, x); a leading dot skips it.
  Environment& set_container(std::string name);

  const std::map<std::string, Type, std::less<>>& variables() const { return variables_; }
  const std::string& container() const { return container_; }

 private:
  std::map<std::string, Type, std::less<>> variables_;
  std::string container_;
};

// One use of a declared name, with the fields selected from it as far as they are literal:
// `steps.rows.output['n'] + 1` refers to {"steps", "rows", "output", "n"}.
struct Reference {
  std::vector<std::string> path;
  std::size_t offset = 0;

  std::string text() const;  // joined by dots
  friend bool operator==(const Reference&, const Reference&) = default;
};

struct Code;  // the compiled form, private to this folder

// A compiled expression: immutable, cheap to copy, may be evaluated by several threads at once.
class Program {
 public:
  explicit Program(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  const std::string& source() const;
  const Type& result_type() const;  // dyn with Checking::off
  std::span<const Reference> references() const;
  const Code& code() const { return *code_; }

 private:
  std::shared_ptr<const Code> code_;
};

Outcome<Program> compile(std::string_view source, const Environment& environment, Checking checking = Checking::strict,
                         CompileLimits limits = {});

// The values of the declared names. A name that is declared but not bound is an error only when it is evaluated.
class Activation {
 public:
  Activation& bind(std::string name, Value value) {
    values_.insert_or_assign(std::move(name), std::move(value));
    return *this;
  }
  const Value* find(std::string_view name) const {
    const auto it = values_.find(name);
    return it == values_.end() ? nullptr : &it->second;
  }

 private:
  std::map<std::string, Value, std::less<>> values_;
};

enum class SecretUse {
  any,
  carry_only,  // an expression that asks what a secret is fails, whatever it is; see carrying.h
};

struct EvalLimits {
  std::uint64_t max_cost = 1'000'000;       // one per operation and element made, and per ten bytes touched
  std::size_t max_output_bytes = 4u << 20;  // of the result, counted as its text would be
  SecretUse secrets = SecretUse::any;
};

// Labels: the result carries the union of the labels of everything that influenced it, conditions and the operands of
// `&&`, `||` and macros included; elements of lists and maps keep their own. Whether an evaluation fails may
// depend on labelled data, too: Problem::label says so, and SecretUse::carry_only keeps secrets out of it.
Outcome<Value> evaluate(const Program& program, const Activation& activation, EvalLimits limits = {});

}  // namespace sallyport::expr
