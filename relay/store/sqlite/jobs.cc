#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/job_lines.h"
#include "relay/store/sqlite/job_moves.h"
#include "relay/store/sqlite/job_queries.h"
#include "relay/store/sqlite/noted.h"
#include "relay/store/sqlite/readers.h"

namespace sallyport::store::sqlite {
namespace {

class SqliteJobs final : public Jobs {
 public:
  explicit SqliteJobs(Engine& engine) : engine_(engine) {}

  awaitable<Result<AddedJob>> add(OrgId org, NewJob job, AuditNote<AddedJob> note) override {
    return write_noted(
        engine_, [org, job = std::move(job)](Database& db) { return add_job(db, org, job); }, std::move(note));
  }

  awaitable<Result<Job>> find(OrgId org, JobId id) override {
    return engine_.read([org, id](Database& db) { return find_job(db, org, id); });
  }

  awaitable<Result<Bytes>> sealed_trigger(OrgId org, JobId id) override {
    return engine_.read([org, id](Database& db) {
      return db.prepare("select sealed_trigger from job_triggers where org = ? and job = ?", org, id)
          .one("job", [](Row row) { return row.bytes(); });
    });
  }

  awaitable<Result<Page<Job>>> list(OrgId org, JobFilter filter, PageQuery page) override {
    return engine_.read([org, filter, page](Database& db) { return list_jobs(db, org, filter, page); });
  }

  awaitable<Result<std::vector<Job>>> holding(OrgId org, AgentId agent) override {
    return engine_.read([org, agent](Database& db) { return jobs_held_by(db, org, agent); });
  }

  awaitable<Result<ClaimedJob>> claim(OrgId org, JobId id, Claim claim) override {
    return engine_.write([org, id, claim](Database& db) { return claim_job(db, org, id, claim); });
  }

  awaitable<Result<Job>> release(OrgId org, JobId id, std::uint64_t epoch, Release release) override {
    return engine_.write([org, id, epoch, release = std::move(release)](Database& db) {
      return release_job(db, org, id, epoch, release);
    });
  }

  awaitable<Result<Job>> finish(OrgId org, JobId id, std::uint64_t epoch, JobOutcome outcome) override {
    return engine_.write([org, id, epoch, outcome = std::move(outcome)](Database& db) {
      return finish_job(db, org, id, epoch, outcome);
    });
  }

  awaitable<Result<Job>> request_cancel(OrgId org, JobId id, Cancel cancel, AuditNote<Job> note) override {
    return write_noted(
        engine_, [org, id, cancel = std::move(cancel)](Database& db) { return cancel_job(db, org, id, cancel); },
        std::move(note));
  }

  awaitable<Result<std::vector<Job>>> next_queued(std::vector<GroupId> among, std::size_t limit) override {
    return engine_.read([among = std::move(among), limit](Database& db) { return next_jobs(db, among, limit); });
  }

  awaitable<Result<std::vector<Queue>>> queues() override { return engine_.read(all_queues); }

  awaitable<Result<Page<Job>>> active_all(PageQuery page) override {
    return engine_.read([page](Database& db) { return all_active_jobs(db, page); });
  }

  awaitable<Result<std::vector<Job>>> queued_without_payload(std::size_t limit) override {
    return engine_.read([limit](Database& db) { return next_without_payload(db, limit); });
  }

  awaitable<Result<std::vector<StateCount>>> unfinished_counts() override { return engine_.read(count_unfinished); }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<Jobs> make_jobs(Engine& engine) { return std::make_unique<SqliteJobs>(engine); }

}  // namespace sallyport::store::sqlite
