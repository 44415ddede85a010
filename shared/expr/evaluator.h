#pragma once

#include "shared/expr/ast.h"
#include "shared/expr/failure.h"
#include "shared/expr/patterns.h"

namespace sallyport::expr {

// One walk over a compiled tree. Errors travel as Failure values; every node is paid for from the budget.
class Evaluator {
 public:
  Evaluator(const Ast& ast, const Activation& activation, EvalLimits limits)
      : ast_(ast),
        activation_(activation),
        secrets_(limits.secrets),
        budget_(limits.max_cost),
        slots_(static_cast<std::size_t>(ast.slots)) {}

  Answer evaluate(NodeId id);

 private:
  using Operands = std::expected<ValueList, Failure>;
  class Loop;

  Answer paid(const Node& node);
  Answer dispatch(const Node& node);
  Answer identifier(const Node& node);
  Answer select(const Node& node);
  Answer has(const Node& node);
  Operands operands(const Node& node);
  Answer call(const Node& node);
  Answer list(const Node& node);
  Answer map(const Node& node);
  Answer record(const Node& node);
  Answer logic(const Node& node);
  Answer conditional(const Node& node);
  Answer bind(const Node& node);
  Answer comprehension(const Node& node);

  // The label of a call's result, and of its failure: everything in the arguments, or only the arguments themselves.
  std::expected<Label, Failure> taint(const Node& node, const ValueList& arguments);
  Failure placed(Failure failure, const Node& node, std::span<const Value> arguments) const;
  bool must_not_see(Label label) const {
    return secrets_ == SecretUse::carry_only && sallyport::has(label, Label::secret);
  }
  std::unexpected<Failure> refuse(const Node& node, std::string_view name, std::span<const Value> arguments) const;

  const Ast& ast_;
  const Activation& activation_;
  SecretUse secrets_;
  Budget budget_;
  RecentPatterns patterns_;
  std::vector<Answer> slots_;  // of cel.bind() the error, too: it counts where the name is used
};

}  // namespace sallyport::expr
