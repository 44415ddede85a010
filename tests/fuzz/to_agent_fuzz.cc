#include "agent/runner/wire.h"
#include "shared/base/ids.h"
#include "shared/execution/execution.h"
#include "shared/execution/outcome.h"

#include <algorithm>
#include <cstdlib>
#include <span>

using namespace sallyport;
using namespace sallyport::runner;
using namespace sallyport::execution;

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
    const auto outcome =
        decode_outcome(journal::StepStatus::succeeded, outcome_from_relay(step.output_json, step.plan));
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

// Two messages of the relay on the jobs channel, which may be parts of one: whatever comes out holds only ids that are
// ids, and steps that can be stored.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const std::size_t first = size == 0 ? 0 : std::min<std::size_t>(size, 256 * std::size_t{data[0]});
  wire::Assembler assembler;
  for (const auto part : {bytes.first(first), bytes.subspan(first), bytes}) {
    const auto message = assembler.take(part);
    if (!message) assembler = {};
    if (message && *message) std::visit([](const auto& one) { check(one); }, **message);
  }
  return 0;
}
