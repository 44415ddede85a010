#include "relay/gateway/codec.h"

#include "proto/sallyport/v1/jobs.pb.h"

namespace sallyport::gateway {
namespace {

void put_lease(v1::Lease& out, const jobs::Lease& lease) {
  out.set_job_id(lease.job.value);
  out.set_lease_epoch(lease.epoch);
  out.set_lease_ms(static_cast<std::uint32_t>(lease.length.count()));
}

struct Encode {
  v1::ToAgent& out;

  void operator()(const jobs::Dispatch& in) const {
    auto& to = *out.mutable_dispatch();
    to.set_job_id(in.lease.job.value);
    to.set_lease_epoch(in.lease.epoch);
    to.set_lease_ms(static_cast<std::uint32_t>(in.lease.length.count()));
    to.set_recipe_id(in.recipe.value);
    to.set_recipe_version(in.version);
    to.set_recipe_json(in.recipe_json);
    to.set_trigger_json(in.trigger_json);
    to.set_event_key(in.event_key);
    to.set_run_number(in.run_number);
    for (const auto& step : in.done) {
      auto& done = *to.add_done();
      done.set_path(step.path);
      done.set_attempt(step.attempt);
      done.set_status(step.status);
      done.set_output_json(step.output_json);
    }
  }
  void operator()(const jobs::CancelJob& in) const {
    auto& to = *out.mutable_cancel();
    to.set_job_id(in.job.value);
    to.set_lease_epoch(in.epoch);
    to.set_reason(in.reason);
  }
  void operator()(const jobs::LeaseAnswer& in) const {
    auto& to = *out.mutable_leases();
    for (const auto& lease : in.renewed) put_lease(*to.add_renewed(), lease);
    for (const auto& lease : in.fenced) put_lease(*to.add_fenced(), lease);
  }
  void operator()(const jobs::ReportsAcked& in) const { out.mutable_acked()->set_seq(in.seq); }
  void operator()(const jobs::AssignmentSet& in) const {
    auto& to = *out.mutable_assignments();
    to.set_revision(in.revision);
    for (const auto& recipe : in.recipes) {
      auto& assigned = *to.add_recipes();
      assigned.set_recipe_id(recipe.recipe.value);
      assigned.set_recipe_version(recipe.version);
      assigned.set_recipe_json(recipe.recipe_json);
    }
  }
};

jobs::Holding holding_of(const v1::Holding& in) {
  jobs::Holding holding{{}, in.assignments_revision()};
  for (const auto& lease : in.jobs()) holding.jobs.push_back({JobId(lease.job_id()), lease.lease_epoch(), {}});
  return holding;
}

jobs::ReportedStepEnd step_end_of(const v1::StepFinished& in) {
  jobs::ReportedStepEnd end{in.path(),        in.attempt(), in.status(), in.output_json(),
                            in.error_class(), in.message(), std::nullopt};
  if (in.will_retry()) end.retry_at_ms = in.retry_at_ms();
  return end;
}

Result<jobs::FromAgent> report_of(const v1::Report& in) {
  jobs::Report report{in.seq(), JobId(in.job_id()), in.lease_epoch(), in.job_seq(), in.at_ms(), jobs::ReportedLog{}};
  switch (in.body_case()) {
    case v1::Report::kJobStarted: {
      const auto& start = in.job_started();
      report.what = jobs::ReportedJobStart{RecipeId(start.recipe_id()), start.recipe_version(), start.trigger_json(),
                                           start.event_key(), start.trigger_kind()};
      break;
    }
    case v1::Report::kStepStarted: {
      const auto& start = in.step_started();
      report.what = jobs::ReportedStepStart{start.path(), start.attempt(), start.uses(), start.input_json()};
      break;
    }
    case v1::Report::kStepFinished: report.what = step_end_of(in.step_finished()); break;
    case v1::Report::kStepLog:
      report.what = jobs::ReportedLog{in.step_log().path(), in.step_log().level(), in.step_log().text()};
      break;
    case v1::Report::kJobFinished: {
      const auto& end = in.job_finished();
      report.what = jobs::ReportedJobEnd{end.status(), end.error_class(), end.message(), end.failed_step()};
      break;
    }
    case v1::Report::kAgentEvent: {
      const auto& event = in.agent_event();
      report.what = jobs::ReportedAgentEvent{event.kind(), event.rule(), event.message()};
      break;
    }
    case v1::Report::BODY_NOT_SET: return fail(Errc::invalid, "a report without a body that this relay knows");
  }
  return report;
}

}  // namespace

std::string encode(const jobs::ToAgent& message) {
  v1::ToAgent out;
  std::visit(Encode{out}, message);
  return out.SerializeAsString();
}

Result<jobs::FromAgent> decode(std::span<const std::byte> message) {
  v1::ToRelay in;
  if (!in.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return fail(Errc::invalid, "a message of the jobs channel that is not a ToRelay");
  }
  switch (in.body_case()) {
    case v1::ToRelay::kHolding: return holding_of(in.holding());
    case v1::ToRelay::kReady: return jobs::Ready{in.ready().slots()};
    case v1::ToRelay::kAnswer: {
      const auto& answer = in.answer();
      return jobs::DispatchAnswer{JobId(answer.job_id()), answer.lease_epoch(), answer.accepted(), answer.error_class(),
                                  answer.message()};
    }
    case v1::ToRelay::kReport: return report_of(in.report());
    case v1::ToRelay::BODY_NOT_SET: break;
  }
  return fail(Errc::invalid, "a message of the jobs channel without a body that this relay knows");
}

}  // namespace sallyport::gateway
