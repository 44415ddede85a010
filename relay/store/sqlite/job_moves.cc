#include "relay/store/sqlite/job_moves.h"

#include "relay/store/sqlite/history_entries.h"
#include "relay/store/sqlite/job_ends.h"
#include "relay/store/sqlite/job_lines.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

namespace sallyport::store::sqlite {
namespace {

using domain::JobState;

Result<std::optional<Job>> earlier_job(Database& db, const OrgId& org, const Job& fresh) {
  SP_TRY(auto same_id,
         db.prepare(select(kJobColumns, "from jobs where org = ? and id = ?"), org, fresh.id).maybe(read_job));
  if (same_id || fresh.event_key.empty() || fresh.rerun_of) return same_id;
  SP_TRY(auto known, db.prepare("select job from job_events where org = ? and recipe = ? and event_key = ?", org,
                                fresh.recipe, fresh.event_key)
                         .maybe([](Row row) { return row.id<JobId>(); }));
  if (!known) return std::nullopt;
  SP_TRY(Job job, find_job(db, org, *known));
  return job;
}

Result<void> insert_job(Database& db, const OrgId& org, const Job& job) {
  SP_CHECK(explain(
      db.run("insert into jobs (id, org, recipe, version, group_id, agent, state, trigger_kind, event_key, priority, "
             "lease_epoch, run_number, rerun_of, concurrency_key, concurrency_limit, created_at, dispatched_at, "
             "started_at, payload_hours, logs_hours, archive_hours, payload, mode, error_class, failed_step) "
             "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')",
             job.id, org, job.recipe, job.version, job.group, job.agent, domain::to_string(job.state), job.trigger_kind,
             job.event_key, job.priority, job.lease_epoch, job.run_number, job.rerun_of, job.concurrency_key,
             job.concurrency_limit, job.created_at, job.dispatched_at, job.started_at,
             std::int64_t{job.retention.payload.count()}, std::int64_t{job.retention.logs.count()},
             std::int64_t{job.retention.archive.count()}, to_string(job.payload), to_string(job.mode)),
      "a job with this id exists", "no such recipe version or agent group"));
  return follow_move(db, job, std::nullopt, job.state);
}

// The job that the request started before, when its relay died before it could say so.
Result<std::optional<Job>> job_of_request(Database& db, const OrgId& org, const std::string& key) {
  if (key.empty()) return std::nullopt;
  SP_TRY(const auto claim,
         db.prepare("select job from idempotency_keys where org = ? and key = ? and status is null", org, key)
             .maybe([](Row row) { return row.maybe_id<JobId>(); }));
  if (!claim) return fail(Errc::conflict, "nobody holds a claim on the idempotency key");
  if (!*claim) return std::nullopt;
  SP_TRY(Job job, find_job(db, org, **claim));
  return job;
}

Result<void> keep_request(Database& db, const OrgId& org, const NewJob& fresh) {
  if (fresh.request_key.empty()) return {};
  SP_CHECK(
      db.run("update idempotency_keys set job = ? where org = ? and key = ?", fresh.job.id, org, fresh.request_key));
  return {};
}

Result<void> check_queue(Database& db, const OrgId& org, const NewJob& fresh) {
  if (!fresh.most_queued) return {};
  SP_TRY(const auto queued, queue_length(db, org, fresh.job.group));
  if (queued < *fresh.most_queued) return {};
  return fail(Errc::exhausted, fmt::format("{} jobs wait for this agent group already; start it again when some of "
                                           "them have run, or cancel what need not run",
                                           queued));
}

// What an agent has run already is stored whatever became of its recipe and group; nothing new begins.
Result<void> refuse_removed(Database& db, const OrgId& org, const Job& fresh) {
  if (fresh.state != JobState::queued) return {};
  SP_TRY(auto group,
         db.prepare("select removed_at is not null from agent_groups where org = ? and id = ?", org, fresh.group)
             .maybe([](Row row) { return row.integer() != 0; }));
  if (group.value_or(false)) {
    return fail(Errc::conflict, "the agent group was removed: start the recipe again, with a group that is there");
  }
  SP_TRY(auto removed,
         db.prepare("select removed_at is not null from recipes where org = ? and id = ?", org, fresh.recipe)
             .maybe([](Row row) { return row.integer() != 0; }));
  if (removed.value_or(false)) return fail(Errc::conflict, "the recipe was deleted: its jobs can be read, not run");
  return {};
}

std::unexpected<Error> fenced(const Job& job) {
  if (domain::is_final(job.state))
    return fail(Errc::conflict, fmt::format("the job has ended: {}", domain::to_string(job.state)));
  return fail(Errc::conflict,
              fmt::format("the job is {} under lease epoch {}", domain::to_string(job.state), job.lease_epoch));
}

}  // namespace

static Result<void> keep_keys(Database& db, const OrgId& org, const NewJob& fresh) {
  for (const auto& key : fresh.keys) {
    SP_CHECK(db.run("insert into job_keys (org, kind, hours, hour, job, wrapped) values (?, ?, ?, ?, ?, ?)", org,
                    key.lane.kind, key.lane.hours, key.hour, fresh.job.id, key.wrapped));
  }
  return {};
}

// Results that a re-run takes over, in the order in which they were given.
static Result<void> keep_steps(Database& db, const OrgId& org, const NewJob& fresh) {
  std::uint64_t place = 0;
  for (const auto& step : fresh.kept) {
    SP_CHECK(
        db.run("insert into steps (org, job, path, attempt, first_seq, status, uses, finished_at, error_class, "
               "sealed_output) values (?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
               org, fresh.job.id, step.path, step.attempt, ++place, domain::to_string(step.status), step.uses,
               fresh.job.created_at, step.sealed_output));
  }
  return {};
}

static Result<void> keep_payload(Database& db, const OrgId& org, const NewJob& fresh) {
  if (fresh.job.payload == Payload::none) {
    if (fresh.sealed_trigger.empty() && fresh.kept.empty()) return {};
    return fail(Errc::internal, "a job without payload comes with some");
  }
  SP_CHECK(db.run("insert into job_triggers (org, job, sealed_trigger) values (?, ?, ?)", org, fresh.job.id,
                  fresh.sealed_trigger));
  return keep_steps(db, org, fresh);
}

Result<void> find_room(Database& db, const OrgId& org, const Job& job) {
  SP_TRY(const auto active, count_active(db, org, job.recipe, job.concurrency_key));
  SP_TRY(const auto queued,
         db.prepare("select count(*) from (select 1 from jobs indexed by jobs_in_line where org = ? and recipe = ? and "
                    "concurrency_key = ? and state = 'queued' and concurrency_limit <> 0 limit ?)",
                    org, job.recipe, job.concurrency_key, job.concurrency_limit)
             .one("recipe", [](Row row) { return row.u64(); }));
  if (active + queued < job.concurrency_limit) return {};
  return fail(Errc::conflict, "the recipe runs as often as its concurrency allows, and skips what comes besides");
}

Result<AddedJob> add_job(Database& db, const OrgId& org, const NewJob& fresh) {
  SP_TRY(auto started, job_of_request(db, org, fresh.request_key));
  if (started) return AddedJob{*std::move(started), AddOutcome::added};
  SP_TRY(auto earlier, earlier_job(db, org, fresh.job));
  if (earlier) return AddedJob{*std::move(earlier), AddOutcome::duplicate};
  SP_CHECK(refuse_removed(db, org, fresh.job));
  if (fresh.only_with_room) SP_CHECK(find_room(db, org, fresh.job));
  SP_CHECK(check_queue(db, org, fresh));
  SP_CHECK(insert_job(db, org, fresh.job));
  SP_CHECK(keep_keys(db, org, fresh));
  SP_CHECK(keep_payload(db, org, fresh));
  SP_CHECK(keep_request(db, org, fresh));
  if (!fresh.job.event_key.empty() && !fresh.job.rerun_of) {
    SP_CHECK(db.run("insert into job_events (org, recipe, event_key, job, created_at) values (?, ?, ?, ?, ?)", org,
                    fresh.job.recipe, fresh.job.event_key, fresh.job.id, fresh.job.created_at));
  }
  SP_TRY(Job job, find_job(db, org, fresh.job.id));
  return AddedJob{std::move(job), AddOutcome::added};
}

Result<ClaimedJob> claim_job(Database& db, const OrgId& org, const JobId& id, const Claim& claim) {
  SP_TRY(Job job, find_job(db, org, id));
  if (job.state != JobState::queued || job.lease_epoch != claim.expected_epoch) return fenced(job);
  if (job.concurrency_limit > 0) {
    SP_TRY(std::uint64_t active, count_active(db, org, job.recipe, job.concurrency_key));
    if (active >= job.concurrency_limit) return fail(Errc::exhausted, "the recipe's concurrency limit is reached");
  }
  SP_CHECK(
      db.run("update jobs set state = 'dispatched', agent = ?, lease_epoch = lease_epoch + 1, lease_until = ?, "
             "dispatched_at = ? where org = ? and id = ?",
             claim.agent, claim.lease_until, claim.at, org, id));
  SP_CHECK(follow_move(db, job, job.state, JobState::dispatched));
  ClaimedJob claimed;
  if (job.payload == Payload::kept) {
    SP_TRY(claimed.sealed_trigger,
           db.prepare("select sealed_trigger from job_triggers where org = ? and job = ?", org, id)
               .one("job", [](Row row) { return row.bytes(); }));
  }
  SP_TRY(claimed.job, find_job(db, org, id));
  return claimed;
}

Result<Job> release_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch, const Release& release) {
  SP_TRY(Job job, find_job(db, org, id));
  if (job.lease_epoch != epoch || !domain::is_active(job.state)) return fenced(job);
  const bool begun = domain::may_have_begun(release.reason);
  if (job.cancel_requested_at) {
    const bool clean = !begun && !job.held_before;
    return end_without_report(
        db, job, {.state = JobState::cancelled, .at = release.at, .error = clean ? JobError{} : release.if_dead});
  }
  const std::uint32_t runs = job.run_number + (begun ? 1 : 0);
  if (runs > domain::kMaxRuns) {
    return end_without_report(db, job, {.state = JobState::dead, .at = release.at, .error = release.if_dead});
  }
  SP_CHECK(
      db.run("update jobs set state = 'queued', agent = null, lease_epoch = lease_epoch + 1, lease_until = null, "
             "run_number = ?, held_before = ?, dispatched_at = null where org = ? and id = ?",
             runs, std::int64_t{job.held_before || begun}, org, id));
  SP_CHECK(store_release(db, job, release));
  SP_CHECK(follow_move(db, job, job.state, JobState::queued));
  return find_job(db, org, id);
}

Result<Job> finish_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch,
                       const JobOutcome& outcome) {
  SP_TRY(Job job, find_job(db, org, id));
  if (!domain::is_final(outcome.state)) return fail(Errc::internal, "a job ends in a final state only");
  if (job.lease_epoch != epoch || !domain::can_move(job.state, outcome.state)) return fenced(job);
  return end_without_report(db, job, outcome);
}

Result<Job> cancel_job(Database& db, const OrgId& org, const JobId& id, const Cancel& cancel) {
  SP_TRY(Job job, find_job(db, org, id));
  if (domain::is_final(job.state)) return fenced(job);
  if (job.cancel_requested_at) return job;
  SP_CHECK(db.run("update jobs set cancel_requested_at = ? where org = ? and id = ?", cancel.at, org, id));
  if (job.state == JobState::queued) {
    return end_without_report(db, job, {.state = JobState::cancelled, .at = cancel.at, .error = {}},
                              cancel.if_in_doubt);
  }
  return find_job(db, org, id);
}

}  // namespace sallyport::store::sqlite
