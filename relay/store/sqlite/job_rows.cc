#include "relay/store/sqlite/job_lines.h"
#include "relay/store/sqlite/readers.h"

namespace sallyport::store::sqlite {

Job read_job(Row row) {
  Job job{.id = row.id<JobId>(),
          .org = row.id<OrgId>(),
          .recipe = row.id<RecipeId>(),
          .version = row.u32(),
          .group = row.id<GroupId>(),
          .agent = row.maybe_id<AgentId>(),
          .state = domain::parse_job_state(row.text()).value_or(domain::JobState::dead),
          .trigger_kind = row.text(),
          .event_key = row.text(),
          .priority = static_cast<std::int32_t>(row.integer()),
          .lease_epoch = row.u64(),
          .lease_until = row.maybe_time(),
          .run_number = row.u32(),
          .rerun_of = row.maybe_id<JobId>(),
          .concurrency_key = row.text(),
          .concurrency_limit = row.u32(),
          .cancel_requested_at = row.maybe_time(),
          .created_at = row.time(),
          .dispatched_at = row.maybe_time(),
          .started_at = row.maybe_time(),
          .finished_at = row.maybe_time(),
          .error = {.error_class = row.text(), .sealed_message = row.maybe_bytes(), .failed_step = row.text()}};
  job.held_before = row.integer() != 0;
  job.retention = {.payload = domain::Hours(row.integer()),
                   .logs = domain::Hours(row.integer()),
                   .archive = domain::Hours(row.integer())};
  job.payload = row.text() == to_string(Payload::kept) ? Payload::kept : Payload::none;
  job.mode = row.text() == to_string(Mode::real) ? Mode::real : Mode::dry_run;
  job.recipe_name = row.text();
  return job;
}

Result<Job> find_job(Database& db, const OrgId& org, const JobId& id) {
  return db.prepare(select(kJobColumns, "from jobs where org = ? and id = ?"), org, id).one("job", read_job);
}

Result<void> end_job(Database& db, const Job& job, const JobOutcome& outcome) {
  SP_CHECK(
      db.run("update jobs set state = ?, finished_at = ?, error_class = ?, sealed_error_message = ?, failed_step = ?, "
             "lease_until = null where org = ? and id = ?",
             domain::to_string(outcome.state), outcome.at, outcome.error.error_class, outcome.error.sealed_message,
             outcome.error.failed_step, job.org, job.id));
  return follow_move(db, job, job.state, outcome.state);
}

}  // namespace sallyport::store::sqlite
