#include "relay/jobs/recorder.h"

#include "shared/async/task_group.h"

#include <algorithm>

namespace sallyport::jobs {
namespace {

std::optional<Bytes> if_any(Bytes sealed, const std::string& plain) {
  return plain.empty() ? std::nullopt : std::optional(std::move(sealed));
}

domain::StepStatus step_status(const std::string& text) {
  return domain::parse_step_status(text).value_or(domain::StepStatus::failed);
}

// An end that is no end (or a word this relay does not know) is a failure, never a success.
domain::JobState end_state(const std::string& text) {
  const auto state = domain::parse_job_state(text);
  return state && domain::is_final(*state) ? *state : domain::JobState::failed;
}

// Refusals that trying again cannot change: the report is spent.
bool is_final_refusal(Errc code) {
  return code == Errc::conflict || code == Errc::not_found || code == Errc::invalid || code == Errc::too_large ||
         code == Errc::forbidden;
}

}  // namespace

store::awaitable<Result<void>> Recorder::record(AgentLink& link, std::vector<Report> reports) {
  std::vector<Batch> batches;
  for (auto& report : reports) {
    auto it =
        std::ranges::find_if(batches, [&](const Batch& b) { return b.job == report.job && b.epoch == report.epoch; });
    if (it == batches.end()) it = batches.insert(it, Batch{report.job, report.epoch, {}});
    it->reports.push_back(std::move(report));
  }
  Result<void> outcome;
  TaskGroup side_by_side(
      executor_, [&](const std::string&, std::exception_ptr) { outcome = fail(Errc::internal, "recording reports"); });
  for (auto& batch : batches) side_by_side.spawn("record", record_batch(link, std::move(batch), outcome));
  co_await side_by_side.join();
  co_return outcome;
}

store::awaitable<void> Recorder::record_batch(AgentLink& link, Batch batch, Result<void>& outcome) {
  const JobId job = batch.job;
  const auto epoch = batch.epoch;
  auto appended = co_await append(link, std::move(batch));
  if (appended) co_return;
  if (!is_final_refusal(appended.error().code)) {
    outcome = std::unexpected(appended.error());
    co_return;
  }
  parts_.log.warn(
      "report.refused",
      {{"agent", link.who().agent.value}, {"job", job.value}, {"epoch", epoch}, {"reason", appended.error().message}});
  parts_.dispatcher.tell_fenced(link, job, epoch);
}

store::awaitable<Result<void>> Recorder::append(AgentLink& link, Batch batch) {
  const auto agent = link.who();
  std::vector<store::HistoryEntry> entries;
  for (auto& report : batch.reports) {
    if (std::holds_alternative<ReportedAgentEvent>(report.what)) {
      SP_CO_CHECK(co_await audit_event(agent, batch.job, std::get<ReportedAgentEvent>(std::move(report.what))));
      continue;
    }
    if (batch.epoch == 0 && std::holds_alternative<ReportedJobStart>(report.what)) {
      SP_CO_CHECK(co_await adopt_local_job(link, batch.job, report));
    }
    SP_CO_TRY(auto entry, co_await entry_of(agent, batch.job, std::move(report)));
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) co_return Result<void>();
  SP_CO_TRY(const auto job, co_await parts_.jobs.find(agent.org, batch.job));
  if (job.agent != agent.agent) co_return fail(Errc::conflict, "another agent holds this job");
  SP_CO_TRY(const auto stored, co_await parts_.history.append(agent.org, batch.job, batch.epoch, std::move(entries)));
  parts_.feed.publish(agent.org, stored.job.recipe, {batch.job, stored.stored});
  if (domain::is_final(stored.job.state)) parts_.dispatcher.job_ended(stored.job);
  co_return Result<void>();
}

// A job that a local trigger started: the agent must be the one that watches this recipe's trigger.
store::awaitable<Result<void>> Recorder::adopt_local_job(AgentLink& link, JobId job, Report report) {
  const auto agent = link.who();
  auto& start = std::get<ReportedJobStart>(report.what);
  if (!is_ulid(job.value, "job_")) co_return fail(Errc::invalid, "not a job id");
  SP_CO_TRY(const auto assignment, co_await parts_.assignments.find(agent.org, start.recipe));
  if (assignment.agent != agent.agent)
    co_return fail(Errc::forbidden, "this agent does not watch this recipe's trigger");
  SP_CO_TRY(const auto version, co_await parts_.recipes.version(agent.org, start.recipe, start.version));

  store::NewJob added;
  added.job = {.id = job,
               .org = agent.org,
               .recipe = start.recipe,
               .version = version.version,
               .group = agent.group,
               .agent = agent.agent,
               .state = domain::JobState::running,
               .trigger_kind = start.trigger_kind,
               .event_key = start.event_key};
  added.job.created_at = from_unix_ms(report.at_ms);
  added.job.started_at = from_unix_ms(report.at_ms);
  SP_CO_TRY(added.sealed_trigger, co_await seal(trigger_identity(agent.org, job), start.trigger_json));
  SP_CO_TRY(const auto outcome, co_await parts_.jobs.add(agent.org, std::move(added)));
  if (outcome.job.id != job) co_return fail(Errc::conflict, "this event has started another job already");
  if (outcome.outcome == store::AddOutcome::added) {
    parts_.log.info(
        "job.adopted",
        {{"org", agent.org.value}, {"job", job.value}, {"agent", agent.agent.value}, {"trigger", start.trigger_kind}});
  }
  co_return Result<void>();
}

store::awaitable<Result<void>> Recorder::audit_event(LinkedAgent agent, JobId job, ReportedAgentEvent event) {
  AuditRecord record{.actor = "agent:" + agent.agent.value,
                     .action = event.kind,
                     .target = job.empty() ? "" : "job:" + job.value,
                     .outcome = AuditOutcome::refused,
                     .detail = {},
                     .request_id = ""};
  record.detail.emplace(Value("rule"), Value(event.rule));
  record.detail.emplace(Value("message"), Value(event.message));
  if (event.kind != "policy.refused") record.outcome = AuditOutcome::done;
  co_return co_await parts_.audit.record(agent.org, std::move(record));
}

store::awaitable<Result<Bytes>> Recorder::seal(keys::RecordIdentity identity, std::string text) {
  co_return co_await parts_.envelope.seal(std::move(identity), as_bytes(text));
}

store::awaitable<Result<store::HistoryEntry>> Recorder::entry_of(const LinkedAgent& agent, const JobId& job,
                                                                 Report report) {
  store::HistoryEntry entry{.job_seq = report.job_seq, .at = from_unix_ms(report.at_ms), .what = store::JobStarted{}};
  if (auto* start = std::get_if<ReportedStepStart>(&report.what)) {
    SP_CO_TRY(auto input,
              co_await seal(step_identity(agent.org, "input", job, start->path, start->attempt), start->input_json));
    entry.what =
        store::StepStarted{start->path, start->attempt, start->uses, if_any(std::move(input), start->input_json)};
  } else if (auto* end = std::get_if<ReportedStepEnd>(&report.what)) {
    SP_CO_TRY(auto output,
              co_await seal(step_identity(agent.org, "output", job, end->path, end->attempt), end->output_json));
    store::StepFinished finished{end->path,        end->attempt, step_status(end->status),
                                 end->error_class, end->message, if_any(std::move(output), end->output_json),
                                 std::nullopt};
    if (end->retry_at_ms) finished.retry_at = from_unix_ms(*end->retry_at_ms);
    entry.what = std::move(finished);
  } else if (auto* log = std::get_if<ReportedLog>(&report.what)) {
    keys::RecordIdentity identity{agent.org, "history", "text", store::entry_record(job, report.epoch, report.job_seq)};
    SP_CO_TRY(auto text, co_await seal(std::move(identity), log->text));
    entry.what = store::StepLog{log->path, log->level, std::move(text)};
  } else if (auto* finish = std::get_if<ReportedJobEnd>(&report.what)) {
    entry.what =
        store::JobFinished{end_state(finish->status), {finish->error_class, finish->message, finish->failed_step}};
  }
  co_return entry;
}

}  // namespace sallyport::jobs
