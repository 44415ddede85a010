#include "agent/runner/execution.h"
#include "agent/runner/outcome.h"
#include "agent/runner/wire.h"
#include "shared/base/ids.h"

#include <cstdlib>

using namespace sallyport;
using namespace sallyport::runner;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const wire::Dispatch& dispatch) {
  require(is_ulid(dispatch.lease.job.value, "job_") && is_ulid(dispatch.recipe.value, "rcp_"));
  require(dispatch.lease.epoch > 0 && dispatch.lease.length >= std::chrono::milliseconds(0));
  for (const auto& step : dispatch.done) {
    const auto run = parse_path(step.path, step.attempt);
    if (run) require(parse_path(path_text(*run), step.attempt) == run);
    const auto outcome = decode_outcome(journal::StepStatus::succeeded, outcome_from_relay(step.output_json));
    require(outcome.has_value());
  }
}

void check(const wire::CancelJob& cancel) { require(is_ulid(cancel.job.value, "job_")); }

void check(const wire::Leases& leases) {
  for (const auto& lease : leases.renewed) require(is_ulid(lease.job.value, "job_"));
  for (const auto& lease : leases.fenced) require(is_ulid(lease.job.value, "job_"));
}

void check(const wire::Assignments& assignments) {
  for (const auto& one : assignments.recipes) require(is_ulid(one.recipe.value, "rcp_"));
}

void check(const wire::ReportsAcked&) {}

}  // namespace

// A message of the relay on the jobs channel: whatever decodes holds only ids that are ids, and steps that can be
// stored.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = wire::decode({reinterpret_cast<const std::byte*>(data), size});
  if (message) std::visit([](const auto& one) { check(one); }, *message);
  return 0;
}
