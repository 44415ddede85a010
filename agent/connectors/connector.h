#pragma once

#include "agent/connectors/bodies.h"
#include "agent/connectors/step_error.h"
#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/value.h"

#include <stop_token>
#include <string>
#include <string_view>

namespace sallyport::connectors {

// What one run of one step may use. Valid until run() returns.
struct StepContext {
  const JobId& job;
  std::string_view path;  // "upsert", "upsert[3]"
  std::uint32_t attempt;
  std::string_view idempotency_key;  // the same for every attempt of this step run
  std::string_view connection;       // name in connections.yaml; empty when the action takes none
  SteadyTime deadline;               // native limits must be set from it
  std::stop_token stop;              // a cancel or the end of the lease: interrupt the native call
  Bodies& bodies;
  // True when a run with the same idempotency key began and nobody knows how far it got (a crash, an attempt before
  // this one): effects that are there already then count as this run's own.
  bool repeated = false;
};

// Of an action that says nothing of dry runs: class "invalid".
inline std::unexpected<StepError> no_dry_run(std::string_view action) {
  return step_fail("invalid", "the action " + std::string(action) +
                                  " does not say what a dry run does with it: it is not run, and nothing is planned");
}

// One kind of step, e.g. sql.query@1. Built once at start-up with what it may touch; run() is called on the worker
// pool, blocks, and may run for several steps at the same time. It checks the local policy itself before any effect,
// and fails closed.
class Action {
 public:
  virtual ~Action() = default;
  virtual std::string_view name() const = 0;  // "sql.query@1"
  virtual StepResult<Output> run(const StepContext& context, const Value& arguments) = 0;

  // What of run() leaves no effect anywhere, and how: the output says it (`plan`). Asked only for actions whose
  // catalogue entry says DryRun::reads_only or rolls_back; those that say `runs` are run, those that say `planned` are
  // not. An action that cannot be sure gives Plan::planned, and why (`remark`).
  virtual StepResult<Output> dry_run(const StepContext& /*context*/, const Value& /*arguments*/) {
    return no_dry_run(name());
  }
  // Whether the local policy lets run() begin on this connection: the word of a dry run for what it only plans.
  virtual StepResult<void> may_run(const StepContext& /*context*/) const { return no_dry_run(name()); }

  // Asked only for actions whose catalogue entry says Repeat::ledger: true when run() with the same idempotency key
  // would find what an earlier run has done, and not do it again. False: after a crash the step is in doubt.
  virtual bool keeps_ledger(std::string_view /*connection*/, const Value& /*arguments*/) const { return false; }
};

}  // namespace sallyport::connectors
