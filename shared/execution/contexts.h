#pragma once

#include "shared/execution/execution.h"
#include "shared/execution/outcome.h"
#include "shared/expr/expr.h"

#include <map>
#include <optional>
#include <span>
#include <string>

namespace sallyport::execution {

// What expressions of one job can name: trigger, inputs, vars, job, recipe, agent, steps, and besides, where they
// exist, item, error and secrets.
class Contexts {
 public:
  Contexts(const recipe::Recipe& recipe, const Job& job, const AgentFacts& agent, const Value& trigger);

  // Until then a step is `not_run`, which on_failure of the recipe can ask.
  // `mask`: of its output, where the outcome has lost parts.
  void set_step(const std::string& id, const Outcome& outcome, const recipe::Mask& mask);
  void set_error(const std::string& step, const StepError& error);

  // The step whose output the expression may name and that is not there any more; nullopt: nothing is missing.
  std::optional<std::string> lost(std::span<const expr::Reference> references) const;
  // The same of what a dry run only planned, and therefore never was.
  std::optional<std::string> unknown(std::span<const expr::Reference> references) const;

  // Cheap copies; the caller adds `item` and `secrets`.
  const expr::Activation& names() const { return names_; }

 private:
  expr::Activation names_;
  ValueMap steps_;
  using Gaps = std::map<std::string, recipe::Mask>;  // of `steps`, by the id of the step
  static std::optional<std::string> touched(const Gaps& gaps, std::span<const expr::Reference> references);
  Gaps lost_, unknown_;
};

// The names an event has before there is a job: for `dedupe` and concurrency keys.
expr::Activation event_names(const recipe::Recipe& recipe, const Job& job, const Value& trigger);

}  // namespace sallyport::execution
