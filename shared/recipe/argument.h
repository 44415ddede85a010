#pragma once

#include "shared/expr/template.h"

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sallyport::recipe {

// A compiled expression of `if` or `foreach`, written bare or as one `${{ }}`; both mean the same.
struct Expression {
  expr::Program program;

  const std::string& source() const { return program.source(); }  // without `${{ }}`
};

// Why an argument has no value, and in which part of it: path "params[2].id".
struct ArgumentProblem {
  std::string path;
  expr::Problem problem;
};

// The `with` of a step: a tree of literals and texts with expressions, compiled once when the recipe is loaded.
// Immutable in use; may be evaluated by several threads at once.
class Argument {
 public:
  struct Use {
    std::string path;           // the part of the argument: "params.id"
    expr::Reference reference;  // what it refers to: {"steps", "rows", "output"}
  };
  using List = std::vector<Argument>;
  using Map = std::map<std::string, Argument, std::less<>>;

  Argument() = default;  // an empty map
  explicit Argument(Value literal) : node_(std::move(literal)) {}
  explicit Argument(expr::Template text) : node_(std::move(text)) {}
  explicit Argument(List items) : node_(std::move(items)) {}
  explicit Argument(Map members) : node_(std::move(members)) {}

  // The limits hold for each text inside.
  std::expected<Value, ArgumentProblem> evaluate(const expr::Activation& activation,
                                                 expr::EvalLimits limits = {}) const;

  bool is_map() const { return std::holds_alternative<Map>(node_); }
  bool is_literal() const;  // no expression anywhere inside
  Value source() const;     // as written: texts with their `${{ }}`
  std::vector<Use> uses() const;
  const Argument* find(std::string_view name) const;  // a map's member, or nullptr
  const List* items() const;                          // nullptr when it was not written as a list

 private:
  struct Walk;
  std::expected<Value, ArgumentProblem> evaluate_at(Walk& walk) const;
  void collect(std::string& path, std::vector<Use>& into) const;

  std::variant<Map, List, expr::Template, Value> node_;
};

}  // namespace sallyport::recipe
