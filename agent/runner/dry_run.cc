#include "agent/runner/dry_run.h"

#include "shared/recipe/catalogue.h"

namespace sallyport::runner {

using connectors::Output;
using connectors::Plan;
using connectors::StepResult;

StepResult<Output> run_dry(connectors::Action& action, const connectors::StepContext& context, const Value& arguments) {
  const auto* info = recipe::find_action(action.name());
  switch (info == nullptr ? recipe::DryRun::refused : info->dry_run) {
    case recipe::DryRun::refused: break;
    case recipe::DryRun::runs: {
      SP_TRY(auto output, action.run(context, arguments));
      output.plan = Plan::ran;
      return output;
    }
    case recipe::DryRun::reads_only:
    case recipe::DryRun::rolls_back: {
      SP_TRY(auto output, action.dry_run(context, arguments));
      if (output.plan != Plan::none) return output;
      return connectors::step_fail("internal", "the action does not say what it did in a dry run");
    }
    case recipe::DryRun::planned: SP_CHECK(action.may_run(context)); return Output{Value(), Plan::planned};
  }
  return connectors::no_dry_run(action.name());
}

}  // namespace sallyport::runner
