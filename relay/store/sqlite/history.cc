#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/history_entries.h"
#include "relay/store/sqlite/readers.h"

#include <algorithm>

namespace sallyport::store::sqlite {
namespace {

constexpr std::size_t kMaxEvents = 1000;

constexpr std::string_view kStepColumns =
    "path, attempt, status, uses, started_at, finished_at, error_class, message, sealed_input, sealed_output, retry_at";

Step read_step(Row row) {
  return {.path = row.text(),
          .attempt = row.u32(),
          .status = domain::parse_step_status(row.text()).value_or(domain::StepStatus::in_doubt),
          .uses = row.text(),
          .started_at = row.maybe_time(),
          .finished_at = row.maybe_time(),
          .error_class = row.text(),
          .message = row.text(),
          .sealed_input = row.maybe_bytes(),
          .sealed_output = row.maybe_bytes(),
          .retry_at = row.maybe_time()};
}

HistoryEvent read_event(Row row) {
  return {.seq = row.u64(),
          .epoch = row.u64(),
          .job_seq = row.u64(),
          .at = row.time(),
          .kind = row.text(),
          .path = row.text(),
          .attempt = row.u32(),
          .status = row.text(),
          .sealed_text = row.maybe_bytes()};
}

Result<AppendResult> append_all(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch,
                                const std::vector<HistoryEntry>& entries) {
  SP_TRY(Job job, find_job(db, org, id));
  if (job.lease_epoch != epoch) return fail(Errc::conflict, "another lease epoch holds the job");
  SP_TRY(std::size_t stored, store_entries(db, job, entries));
  SP_TRY(Job after, find_job(db, org, id));
  return AppendResult{stored, std::move(after)};
}

Result<std::vector<Step>> all_steps(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(find_job(db, org, job));
  return db
      .prepare(
          select(kStepColumns, "from steps where org = ? and job = ? order by first_seq, path, attempt limit 10000"),
          org, job)
      .all(read_step);
}

Result<std::vector<Step>> completed_steps(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(find_job(db, org, job));
  return db
      .prepare(select(kStepColumns,
                      "from steps s where org = ? and job = ? and retry_at is null and "
                      "status in ('succeeded', 'failed', 'skipped') and attempt = (select max(attempt) from steps l "
                      "where l.org = s.org and l.job = s.job and l.path = s.path) order by first_seq, path"),
               org, job)
      .all(read_step);
}

class SqliteHistory final : public History {
 public:
  explicit SqliteHistory(Engine& engine) : engine_(engine) {}

  awaitable<Result<AppendResult>> append(OrgId org, JobId job, std::uint64_t epoch,
                                         std::vector<HistoryEntry> entries) override {
    return engine_.write([org, job, epoch, entries = std::move(entries)](Database& db) {
      return append_all(db, org, job, epoch, entries);
    });
  }

  awaitable<Result<std::vector<Step>>> steps(OrgId org, JobId job) override {
    return engine_.read([org, job](Database& db) { return all_steps(db, org, job); });
  }

  awaitable<Result<std::vector<HistoryEvent>>> events(OrgId org, JobId job, std::uint64_t after_seq,
                                                      std::size_t limit) override {
    const std::uint64_t most = std::clamp<std::size_t>(limit, 1, kMaxEvents);
    return engine_.read([org, job, after_seq, most](Database& db) -> Result<std::vector<HistoryEvent>> {
      SP_CHECK(find_job(db, org, job));
      return db
          .prepare(
              "select seq, epoch, job_seq, at, kind, path, attempt, status, sealed_text from history "
              "where org = ? and job = ? and seq > ? order by seq limit ?",
              org, job, after_seq, most)
          .all(read_event);
    });
  }

  awaitable<Result<std::vector<Step>>> completed(OrgId org, JobId job) override {
    return engine_.read([org, job](Database& db) { return completed_steps(db, org, job); });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<History> make_history(Engine& engine) { return std::make_unique<SqliteHistory>(engine); }

}  // namespace sallyport::store::sqlite
