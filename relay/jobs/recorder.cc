#include "relay/jobs/recorder.h"

#include "relay/jobs/concurrency.h"
#include "relay/jobs/sealing.h"
#include "relay/jobs/zero_retention.h"
#include "shared/async/task_group.h"
#include "shared/base/json.h"

#include <algorithm>
#include <array>

namespace sallyport::jobs {
namespace {

// An end that is no end (or a word this relay does not know) is a failure, never a success.
domain::StepStatus end_of_step(const std::string& text) {
  const auto status = domain::parse_step_status(text);
  return status && *status != domain::StepStatus::running ? *status : domain::StepStatus::failed;
}

// Like an agent that says nothing of it, where the word is none.
std::string plan_of(std::string_view text) {
  constexpr std::array<std::string_view, 3> kPlans{"ran", "rolled_back", "planned"};
  return std::ranges::find(kPlans, text) == kPlans.end() ? std::string() : std::string(text);
}

domain::JobState end_state(const std::string& text) {
  const auto state = domain::parse_job_state(text);
  return state && domain::is_final(*state) ? *state : domain::JobState::failed;
}

// Refusals that trying again cannot change: the report is spent.
bool is_final_refusal(Errc code) {
  return code == Errc::conflict || code == Errc::not_found || code == Errc::invalid || code == Errc::too_large ||
         code == Errc::forbidden;
}

// So that it counts against the limit, and its re-run does and waits at its place. What it has run already is stored
// whatever its key.
void note_rules(store::Job& job, const recipe::Recipe& recipe, const std::string& trigger_json) {
  job.priority = static_cast<std::int32_t>(recipe.rank());
  if (!recipe.concurrency) return;
  job.concurrency_limit = static_cast<std::uint32_t>(recipe.concurrency->limit);
  const auto trigger = parse_stored_json(trigger_json);
  const auto inputs = recipe::bind_inputs(recipe, Value());
  auto key = concurrency_key_of(recipe, trigger.value_or(Value()), inputs.value_or(Value(ValueMap{})));
  if (key) job.concurrency_key = *std::move(key);
}

}  // namespace

store::awaitable<Result<void>> Recorder::record(AgentLink& link, std::vector<Report> reports) {
  std::vector<Batch> batches;
  std::vector<AgentEvent> events;
  const std::uint64_t last = reports.empty() ? 0 : reports.back().seq;
  for (auto& report : reports) {
    if (auto* event = std::get_if<ReportedAgentEvent>(&report.what)) {
      events.push_back({report.job, std::move(*event)});
      continue;
    }
    auto it =
        std::ranges::find_if(batches, [&](const Batch& b) { return b.job == report.job && b.epoch == report.epoch; });
    if (it == batches.end()) it = batches.insert(it, Batch{report.job, report.epoch, {}});
    it->reports.push_back(std::move(report));
  }
  Result<void> outcome;
  TaskGroup side_by_side(executor_, [&](const std::string&, const std::string& why) {
    outcome = fail(Errc::internal, "recording reports: " + why);
  });
  if (link.who().journal != 0) side_by_side.spawn("journal", note_journal(link.who(), last, outcome));
  for (auto& batch : batches) side_by_side.spawn("record", record_batch(link, std::move(batch), outcome));
  co_await side_by_side.join();
  // The ledger comes last: history recognises what comes again, the ledger does not.
  if (outcome) outcome = co_await audit_all(link.who(), std::move(events));
  co_return outcome;
}

// In the same commit as the reports, as a rule. That it may be durable without them does no harm: they are in the
// journal.
store::awaitable<void> Recorder::note_journal(LinkedAgent agent, std::uint64_t seq, Result<void>& outcome) {
  auto noted = co_await parts_.agents.raise_journal(agent.org, agent.agent, {agent.journal, seq});
  if (!noted) outcome = std::unexpected(noted.error());
}

store::awaitable<void> Recorder::record_batch(AgentLink& link, Batch batch, Result<void>& outcome) {
  const JobId job = batch.job;
  const auto epoch = batch.epoch;
  const LinkedAgent agent = link.who();
  auto appended = co_await append(agent, std::move(batch));
  if (appended) co_return;
  if (!is_final_refusal(appended.error().code)) {
    outcome = std::unexpected(appended.error());
    co_return;
  }
  parts_.log.warn(
      "report.refused",
      {{"agent", agent.agent.value}, {"job", job.value}, {"epoch", epoch}, {"reason", appended.error().message}});
  parts_.dispatcher.tell_fenced(link, job, epoch);
}

store::awaitable<Result<void>> Recorder::append(LinkedAgent agent, Batch batch) {
  for (const auto& report : batch.reports) {
    if (batch.epoch == 0 && std::holds_alternative<ReportedJobStart>(report.what)) {
      SP_CO_CHECK(co_await adopt_local_job(agent, batch.job, report));
    }
  }
  SP_CO_TRY(const auto job, co_await parts_.jobs.find(agent.org, batch.job));
  if (job.agent != agent.agent) co_return fail(Errc::conflict, "another agent holds this job");
  std::vector<store::HistoryEntry> entries;
  for (auto& report : batch.reports) {
    if (job.payload == store::Payload::none) drop_payload(report);
    SP_CO_TRY(auto entry, co_await entry_of(agent.org, batch.job, std::move(report)));
    entry.at = std::max(at_latest_now(entry.at), job.created_at);
    entries.push_back(std::move(entry));
  }
  SP_CO_TRY(const auto stored, co_await parts_.history.append(agent.org, batch.job, batch.epoch, std::move(entries)));
  if (stored.stored > 0) parts_.feed.publish(agent.org, stored.job.recipe, {batch.job, 0});
  if (domain::is_final(stored.job.state)) parts_.dispatcher.job_ended(stored.job);
  co_return Result<void>();
}

// An agent's clock may be wrong: what it tells has happened by now, and does not stand above everything else for the
// days that it is ahead.
WallTime Recorder::at_latest_now(WallTime told) const { return std::min(told, parts_.clock.wall()); }

// A job that a local trigger started: the agent must be the one that watches this recipe's trigger, unless the relay
// has taken the job in already.
store::awaitable<Result<void>> Recorder::adopt_local_job(LinkedAgent agent, JobId id, Report report) {
  auto& start = std::get<ReportedJobStart>(report.what);
  if (!is_ulid(id.value, "job_")) co_return fail(Errc::invalid, "not a job id");
  const auto known = co_await parts_.jobs.find(agent.org, id);
  if (known) co_return Result<void>();
  if (known.error().code != Errc::not_found) co_return std::unexpected(known.error());
  SP_CO_TRY(const bool watched, co_await parts_.assignments.has_watched(agent.org, start.recipe, agent.agent));
  if (!watched) co_return fail(Errc::forbidden, "this agent never watched this recipe's trigger");
  const auto outline = co_await parts_.outlines.find(agent.org, start.recipe, start.version);
  if (!outline && outline.error().code != Errc::invalid) co_return std::unexpected(outline.error());
  store::Job job{.id = id,
                 .org = agent.org,
                 .recipe = start.recipe,
                 .version = start.version,
                 .group = agent.group,
                 .agent = agent.agent,
                 .state = domain::JobState::running,
                 .trigger_kind = start.trigger_kind,
                 .event_key = start.event_key};
  job.created_at = at_latest_now(from_unix_ms(report.at_ms));
  job.started_at = job.created_at;
  // What a recipe that is not understood any more says of its payload is not known: then none is kept.
  job.payload = outline ? payload_of(**outline) : store::Payload::none;
  if (outline) note_rules(job, **outline, start.trigger_json);
  const auto asked = outline ? asked_of(**outline) : domain::AskedRetention();
  SP_CO_TRY(const auto kept, co_await parts_.retention.in_effect(agent.org, asked));
  keep_for(job, kept);
  SP_CO_CHECK(co_await hide_keys(parts_.fingerprints, job));
  if (job.payload == store::Payload::kept && tells_masked(**outline)) {
    SP_CO_CHECK(co_await hide_event_key(parts_.fingerprints, job));
  }
  co_return co_await add_local_job(std::move(agent), std::move(job), std::move(start.trigger_json));
}

store::awaitable<Result<void>> Recorder::add_local_job(LinkedAgent agent, store::Job job, std::string trigger_json) {
  const JobId id = job.id;
  store::NewJob added{std::move(job), {}, {}};
  SP_CO_TRY(auto keys, co_await parts_.envelope.make_job_keys(agent.org, id, added.job.retention));
  if (added.job.payload == store::Payload::kept) {
    SP_CO_TRY(added.sealed_trigger,
              co_await parts_.envelope.seal_new(keys, trigger_identity(agent.org, id), as_bytes(trigger_json)));
  }
  added.keys = std::move(keys.wrapped);
  SP_CO_TRY(const auto outcome, co_await parts_.jobs.add(agent.org, std::move(added)));
  if (outcome.job.id != id) co_return fail(Errc::conflict, "this event has started another job already");
  parts_.log.info("job.adopted", {{"org", agent.org.value},
                                  {"job", id.value},
                                  {"agent", agent.agent.value},
                                  {"trigger", outcome.job.trigger_kind}});
  co_return Result<void>();
}

// An event that the ledger will never take is logged and spent; it does not hold up the others. What the agent says of
// a job may name what is in its data (the path of a file), and the ledger is in clear and for good: there the rule
// stands, and the words are in the job's sealed history.
store::awaitable<Result<void>> Recorder::audit_all(LinkedAgent agent, std::vector<AgentEvent> events) {
  for (auto& [job, event] : events) {
    AuditRecord record{.actor = "agent:" + agent.agent.value,
                       .action = event.kind,
                       .target = job.empty() ? "" : "job:" + job.value,
                       .outcome = event.kind == "policy.refused" ? AuditOutcome::refused : AuditOutcome::done,
                       .detail = {},
                       .request_id = ""};
    record.detail.emplace(Value("rule"), Value(event.rule));
    if (job.empty()) record.detail.emplace(Value("message"), Value(event.message));
    auto written = co_await parts_.audit.record(agent.org, std::move(record));
    if (written) continue;
    if (!is_final_refusal(written.error().code)) co_return written;
    parts_.log.warn("report.not_audited", {{"agent", agent.agent.value}, {"reason", written.error().message}});
  }
  co_return Result<void>();
}

store::awaitable<Result<store::StepFinished>> Recorder::step_end_of(OrgId org, JobId job, ReportedStepEnd end) {
  store::StepFinished finished{.path = end.path,
                               .attempt = end.attempt,
                               .status = end_of_step(end.status),
                               .error_class = std::move(end.error_class),
                               .sealed_message = {},
                               .sealed_output = {},
                               .retry_at = {},
                               .uses = std::move(end.uses),
                               .plan = plan_of(end.plan)};
  auto message = step_identity(org, "message", job, end.path, end.attempt);
  auto output = step_identity(org, "output", job, end.path, end.attempt);
  SP_CO_TRY(finished.sealed_message, co_await seal_error(parts_.envelope, std::move(message), std::move(end.message)));
  SP_CO_TRY(finished.sealed_output, co_await seal_any(parts_.envelope, std::move(output), std::move(end.output_json)));
  if (end.retry_at_ms) finished.retry_at = from_unix_ms(*end.retry_at_ms);
  co_return finished;
}

store::awaitable<Result<store::HistoryEntry>> Recorder::entry_of(OrgId org, JobId job, Report report) {
  store::HistoryEntry entry{.job_seq = report.job_seq, .at = from_unix_ms(report.at_ms), .what = store::JobStarted{}};
  auto& envelope = parts_.envelope;
  if (auto* start = std::get_if<ReportedStepStart>(&report.what)) {
    auto identity = step_identity(org, "input", job, start->path, start->attempt);
    SP_CO_TRY(auto input, co_await seal_any(envelope, std::move(identity), std::move(start->input_json)));
    entry.what = store::StepStarted{start->path, start->attempt, start->uses, std::move(input)};
  } else if (auto* end = std::get_if<ReportedStepEnd>(&report.what)) {
    SP_CO_TRY(entry.what, co_await step_end_of(org, job, std::move(*end)));
  } else if (auto* log = std::get_if<ReportedLog>(&report.what)) {
    auto identity = log_identity(org, job, report.epoch, report.job_seq);
    SP_CO_TRY(auto text, co_await envelope.seal(std::move(identity), as_bytes(log->text)));
    entry.what = store::StepLog{log->path, log->level, std::move(text)};
  } else if (auto* finish = std::get_if<ReportedJobEnd>(&report.what)) {
    SP_CO_TRY(auto message, co_await seal_error(envelope, error_identity(org, job), std::move(finish->message)));
    entry.what =
        store::JobFinished{end_state(finish->status), {finish->error_class, std::move(message), finish->failed_step}};
  }
  co_return entry;
}

}  // namespace sallyport::jobs
