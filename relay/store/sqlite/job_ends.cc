#include "relay/store/sqlite/job_ends.h"

#include "relay/store/sqlite/history_entries.h"
#include "relay/store/sqlite/readers.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::string_view kHolderLost = "holder_lost";

// The one that began last, which is where the job stood.
Result<std::optional<std::string>> last_running_step(Database& db, const Job& job) {
  return db
      .prepare(
          "select path from steps where org = ? and job = ? and status = 'running' order by first_seq desc limit 1",
          job.org, job.id)
      .maybe([](Row row) { return row.text(); });
}

// A dry run's steps are none that anybody could doubt: whatever they did is undone, or was not done.
Result<void> end_running_steps(Database& db, const Job& job, WallTime at) {
  const auto end = job.mode == Mode::dry_run ? domain::StepStatus::cancelled : domain::StepStatus::in_doubt;
  SP_CHECK(
      db.run("update steps set status = ?, finished_at = ?, retry_at = null, error_class = ? "
             "where org = ? and job = ? and status = 'running'",
             domain::to_string(end), at, kHolderLost, job.org, job.id));
  return {};
}

}  // namespace

Result<Job> end_without_report(Database& db, const Job& job, JobOutcome outcome, JobError if_in_doubt) {
  SP_TRY(const auto running, last_running_step(db, job));
  if (running) {
    SP_CHECK(end_running_steps(db, job, outcome.at));
    const bool in_doubt = job.mode == Mode::real && outcome.state != domain::JobState::dead;
    if (in_doubt) outcome.state = domain::JobState::in_doubt;
    if (outcome.error.error_class.empty()) outcome.error = std::move(if_in_doubt);
    if (outcome.error.error_class.empty()) outcome.error.error_class = kHolderLost;
    if (outcome.error.failed_step.empty()) outcome.error.failed_step = *running;
  }
  SP_CHECK(end_job(db, job, outcome));
  SP_CHECK(store_end(db, job, outcome));
  return find_job(db, job.org, job.id);
}

}  // namespace sallyport::store::sqlite
