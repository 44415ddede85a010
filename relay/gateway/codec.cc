#include "relay/gateway/codec.h"

#include "proto/sallyport/v1/jobs.pb.h"
#include "shared/link/message_bytes.h"

#include <limits>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kPart = 512u << 10;

void put_lease(v1::Lease& out, const jobs::Lease& lease) {
  out.set_job_id(lease.job.value);
  out.set_lease_epoch(lease.epoch);
  out.set_lease_ms(static_cast<std::uint32_t>(lease.length.count()));
}

// One message, or the parts of one.
class Encode {
 public:
  void operator()(const jobs::Dispatch& in) {
    auto* to = dispatch_of(in);
    to->set_lease_ms(static_cast<std::uint32_t>(in.lease.length.count()));
    to->set_holding(in.holding);
    to->set_recipe_version(in.version);
    if (in.mode == store::Mode::real) {
      to->set_recipe_json(in.recipe_json);
    } else {
      to->set_dry_run_json(in.recipe_json);
    }
    to->set_trigger_json(in.trigger_json);
    to->set_event_key(in.event_key);
    to->set_run_number(in.run_number);
    to->set_held_before(in.held_before);
    to->set_no_payload(in.payload == store::Payload::none);
    size_ = in.recipe_json.size() + in.trigger_json.size();
    for (const auto& step : in.done) {
      if (is_full(step.path.size() + step.output_json.size())) to = dispatch_of(in);
      auto& done = *to->add_done();
      done.set_path(step.path);
      done.set_attempt(step.attempt);
      done.set_status(step.status);
      done.set_output_json(step.output_json);
      done.set_plan(step.plan);
    }
  }
  void operator()(const jobs::CancelJob& in) {
    auto& to = *out_.mutable_cancel();
    to.set_job_id(in.job.value);
    to.set_lease_epoch(in.epoch);
    to.set_reason(in.reason);
  }
  void operator()(const jobs::LeaseAnswer& in) {
    auto& to = *out_.mutable_leases();
    to.set_holding(in.holding);
    for (const auto& lease : in.renewed) put_lease(*to.add_renewed(), lease);
    for (const auto& lease : in.fenced) put_lease(*to.add_fenced(), lease);
  }
  void operator()(const jobs::ReportsAcked& in) { out_.mutable_acked()->set_seq(in.seq); }
  void operator()(const jobs::AssignmentSet& in) {
    out_.mutable_assignments()->set_revision(in.revision);
    for (const auto& recipe : in.recipes) {
      if (is_full(recipe.recipe_json.size())) out_.mutable_assignments()->set_revision(in.revision);
      auto& assigned = *out_.mutable_assignments()->add_recipes();
      assigned.set_recipe_id(recipe.recipe.value);
      assigned.set_recipe_version(recipe.version);
      assigned.set_recipe_json(recipe.recipe_json);
      assigned.set_no_payload(recipe.payload == store::Payload::none);
    }
  }

  std::vector<std::string> parts() && {
    parts_.push_back(out_.SerializeAsString());
    return std::move(parts_);
  }

 private:
  v1::Dispatch* dispatch_of(const jobs::Dispatch& in) {
    auto* to = out_.mutable_dispatch();
    to->set_job_id(in.lease.job.value);
    to->set_lease_epoch(in.lease.epoch);
    to->set_recipe_id(in.recipe.value);
    return to;
  }

  // True: there was no room for so many bytes more, and a new part has begun.
  bool is_full(std::size_t bytes) {
    constexpr std::size_t kOverhead = 64;
    size_ += bytes + kOverhead;
    if (size_ <= kPart || size_ == bytes + kOverhead) return false;
    out_.set_more(true);
    parts_.push_back(out_.SerializeAsString());
    out_.Clear();
    size_ = bytes + kOverhead;
    return true;
  }

  v1::ToAgent out_;
  std::size_t size_ = 0;  // about
  std::vector<std::string> parts_;
};

Result<jobs::FromAgent> holding_of(const v1::Holding& in) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (in.journal() > kMost || in.journal_seq() > kMost)
    return fail(Errc::invalid, "P13.22: a journal that no agent makes");
  jobs::Holding holding{{}, in.assignments_revision(), in.number(), in.journal(), in.journal_seq()};
  for (const auto& lease : in.jobs()) holding.jobs.push_back({JobId(lease.job_id()), lease.lease_epoch(), {}});
  return holding;
}

jobs::ReportedStepEnd step_end_of(const v1::StepFinished& in) {
  jobs::ReportedStepEnd end{in.path(),    in.attempt(), in.status(), in.output_json(), in.error_class(),
                            in.message(), std::nullopt, in.uses(),   in.plan()};
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

Result<jobs::FromAgent> uses_of(const v1::ConnectionHealth& in) {
  constexpr int kMaxUses = 1'000;
  if (in.connections_size() > kMaxUses) return fail(Errc::invalid, "the health of more than 1,000 connections");
  jobs::ReportedUses told;
  for (const auto& use : in.connections())
    told.uses.push_back({use.name(), use.health(), use.error_class(), use.at_ms()});
  return told;
}

}  // namespace

std::vector<std::string> encode(const jobs::ToAgent& message) {
  Encode encode;
  std::visit(encode, message);
  return std::move(encode).parts();
}

Result<jobs::FromAgent> decode(std::span<const std::byte> message) {
  v1::ToRelay in;
  if (!link::parse(in, message)) {
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
    case v1::ToRelay::kHealth: return uses_of(in.health());
    case v1::ToRelay::BODY_NOT_SET: break;
  }
  return fail(Errc::invalid, "a message of the jobs channel without a body that this relay knows");
}

}  // namespace sallyport::gateway
