#pragma once

#include "agent/runner/execution.h"
#include "agent/runner/outcome.h"
#include "shared/expr/expr.h"

#include <string>

namespace sallyport::runner {

// What expressions of one job can name: trigger, inputs, vars, job, recipe, agent, steps, and besides, where they
// exist, item, error and secrets.
class Contexts {
 public:
  Contexts(const recipe::Recipe& recipe, const journal::Job& job, const AgentFacts& agent, const Value& trigger);

  // Until then a step is `not_run`, which on_failure of the recipe can ask.
  void set_step(const std::string& id, const Outcome& outcome);
  void set_error(const std::string& step, const connectors::StepError& error);

  // Cheap copies; the caller adds `item` and `secrets`.
  const expr::Activation& names() const { return names_; }

 private:
  expr::Activation names_;
  ValueMap steps_;
};

// The names an event has before there is a job: for `dedupe` and concurrency keys.
expr::Activation event_names(const recipe::Recipe& recipe, const journal::Job& job, const Value& trigger);

}  // namespace sallyport::runner
