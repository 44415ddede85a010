#include "relay/store/sqlite/adapters.h"

namespace sallyport::store::sqlite {
namespace {

RetentionLane read_lane(Row& row) {
  auto kind = row.text();
  return {std::move(kind), row.u32()};
}

Result<std::vector<JobKey>> find_keys(Database& db, const OrgId& org, const JobId& job) {
  return db.prepare("select kind, hours, hour, wrapped from job_keys where org = ? and job = ?", org, job)
      .all([](Row row) {
        auto lane = read_lane(row);
        const Hour hour = row.integer();
        return JobKey{std::move(lane), hour, row.bytes()};
      });
}

Result<std::vector<LateJobKey>> late_keys(Database& db, const OrgId& org, const RetentionLane& lane, Hour last,
                                          const JobKeyPlace& after, std::size_t limit) {
  return db
      .prepare(
          "select k.job, k.hour, k.wrapped, j.finished_at from job_keys k join jobs j on j.org = k.org and j.id = "
          "k.job where k.org = ? and k.kind = ? and k.hours = ? and k.hour <= ? and (k.hour, k.job) > (?, ?) and "
          "(j.finished_at is null or j.finished_at >= ?) order by k.hour, k.job limit ?",
          org, lane.kind, lane.hours, last, after.hour, after.job, unix_ms(start_of(last + 1)), std::uint64_t{limit})
      .all([](Row row) {
        auto job = row.id<JobId>();
        const Hour hour = row.integer();
        auto wrapped = row.bytes();
        return LateJobKey{{hour, std::move(job)}, std::move(wrapped), row.maybe_time()};
      });
}

Result<void> move_keys(Database& db, const OrgId& org, const RetentionLane& lane,
                       const std::vector<MovedJobKey>& moved) {
  for (const auto& key : moved) {
    SP_CHECK(
        db.run("update job_keys set hour = ?, wrapped = ? where org = ? and kind = ? and hours = ? and hour = ? and "
               "job = ?",
               key.to, key.wrapped, org, lane.kind, lane.hours, key.from.hour, key.from.job));
    if (key.ended_at) {
      SP_CHECK(db.run("update jobs set finished_at = ? where org = ? and id = ? and finished_at > ?", *key.ended_at,
                      org, key.from.job, *key.ended_at));
    }
  }
  return {};
}

// Each gives how many rows it changed, `limit` at most: then there may be more.
Result<std::size_t> clear_payload(Database& db, const OrgId& org, const JobId& job, std::size_t limit) {
  SP_CHECK(db.run("delete from job_triggers where org = ? and job = ?", org, job));
  SP_TRY(const auto steps,
         db.run("update steps set sealed_input = null, sealed_output = null where rowid in (select rowid from steps "
                "where org = ? and job = ? and (sealed_input is not null or sealed_output is not null) limit ?)",
                org, job, std::uint64_t{limit}));
  return static_cast<std::size_t>(steps);
}

Result<std::size_t> clear_logs(Database& db, const OrgId& org, const JobId& job, std::size_t limit) {
  SP_CHECK(db.run("update jobs set sealed_error_message = null where org = ? and id = ?", org, job));
  SP_TRY(const auto lines, db.run("delete from history where rowid in (select rowid from history where org = ? and job "
                                  "= ? limit ?)",
                                  org, job, std::uint64_t{limit}));
  SP_TRY(const auto steps, db.run("update steps set sealed_message = null where rowid in (select rowid from steps "
                                  "where org = ? and job = ? and sealed_message is not null limit ?)",
                                  org, job, std::uint64_t{limit} - static_cast<std::uint64_t>(lines)));
  return static_cast<std::size_t>(lines + steps);
}

Result<void> note_bare(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(
      db.run("insert or ignore into bare_jobs (finished_at, org, job) select finished_at, org, id from jobs where org "
             "= ? and id = ? and finished_at is not null and not exists (select 1 from job_keys where org = ? and job "
             "= ?)",
             org, job, org, job));
  return {};
}

Result<std::optional<JobKeyPlace>> first_key(Database& db, const OrgId& org, const RetentionLane& lane, Hour last) {
  return db
      .prepare(
          "select hour, job from job_keys where org = ? and kind = ? and hours = ? and hour <= ? order by hour, job "
          "limit 1",
          org, lane.kind, lane.hours, last)
      .maybe([](Row row) {
        const Hour hour = row.integer();
        return JobKeyPlace{hour, row.id<JobId>()};
      });
}

Result<Purged> purge_keys(Database& db, const OrgId& org, const RetentionLane& lane, Hour last, std::size_t rows) {
  Purged purged;
  for (auto left = rows; left > 0; --left) {
    SP_TRY(const auto first, first_key(db, org, lane, last));
    if (!first) return purged;
    const auto clear = lane.kind == "payload" ? clear_payload : clear_logs;
    SP_TRY(const auto cleared, clear(db, org, first->job, left));
    if (cleared == left) break;
    left -= cleared;
    SP_CHECK(db.run("delete from job_keys where org = ? and kind = ? and hours = ? and hour = ? and job = ?", org,
                    lane.kind, lane.hours, first->hour, first->job));
    SP_CHECK(note_bare(db, org, first->job));
    ++purged.jobs;
  }
  purged.more = true;
  return purged;
}

struct BareJob {
  OrgId org;
  JobId job;
};

Result<std::optional<BareJob>> first_bare(Database& db, WallTime before) {
  return db
      .prepare("select org, job from bare_jobs where finished_at < ? order by finished_at, org, job limit 1", before)
      .maybe([](Row row) {
        auto org = row.id<OrgId>();
        return BareJob{std::move(org), row.id<JobId>()};
      });
}

// With it goes that its event was seen.
Result<void> remove_job(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(
      db.run("delete from job_events where (org, recipe, event_key) in (select org, recipe, event_key from jobs "
             "where org = ? and id = ?) and job = ?",
             org, job, job));
  SP_CHECK(db.run("delete from job_triggers where org = ? and job = ?", org, job));
  SP_CHECK(db.run("delete from bare_jobs where org = ? and job = ?", org, job));
  SP_CHECK(db.run("delete from jobs where org = ? and id = ?", org, job));
  return {};
}

Result<Purged> remove_bare_jobs(Database& db, WallTime before, std::size_t rows) {
  Purged purged;
  for (auto left = rows; left > 0; --left) {
    SP_TRY(const auto next, first_bare(db, before));
    if (!next) return purged;
    for (const auto* rest : {"delete from history where rowid in (select rowid from history where org = ? and job = ? "
                             "limit ?)",
                             "delete from steps where rowid in (select rowid from steps where org = ? and job = ? "
                             "limit ?)"}) {
      SP_TRY(const auto gone, db.run(rest, next->org, next->job, std::uint64_t{left}));
      left -= static_cast<std::size_t>(gone);
    }
    if (left == 0) break;
    SP_CHECK(remove_job(db, next->org, next->job));
    ++purged.jobs;
  }
  purged.more = true;
  return purged;
}

Result<bool> give_pages_back(Database& db) {
  SP_CHECK(db.script("pragma incremental_vacuum(1000)"));
  SP_TRY(const auto left, db.prepare("pragma freelist_count").one("count", [](Row row) { return row.integer(); }));
  return left > 0;
}

class SqliteJobKeys final : public JobKeys {
 public:
  explicit SqliteJobKeys(Engine& engine) : engine_(engine) {}

  awaitable<Result<std::vector<JobKey>>> find(OrgId org, JobId job) override {
    return engine_.read([org, job](Database& db) { return find_keys(db, org, job); });
  }

  awaitable<Result<std::vector<LateJobKey>>> late(OrgId org, RetentionLane lane, Hour last, JobKeyPlace after,
                                                  std::size_t limit) override {
    return engine_.read(
        [org, lane, last, after, limit](Database& db) { return late_keys(db, org, lane, last, after, limit); });
  }

  awaitable<Result<void>> move(OrgId org, RetentionLane lane, std::vector<MovedJobKey> moved) override {
    return engine_.write(
        [org, lane, moved = std::move(moved)](Database& db) { return move_keys(db, org, lane, moved); });
  }

  awaitable<Result<Purged>> purge(OrgId org, RetentionLane lane, Hour last, std::size_t rows) override {
    return engine_.write([org, lane, last, rows](Database& db) { return purge_keys(db, org, lane, last, rows); });
  }

  awaitable<Result<Purged>> remove_jobs(WallTime before, std::size_t rows) override {
    return engine_.write([before, rows](Database& db) { return remove_bare_jobs(db, before, rows); });
  }

  awaitable<Result<bool>> reclaim() override {
    SP_CO_TRY(const bool more, co_await engine_.write(give_pages_back));
    SP_CO_CHECK(co_await engine_.empty_log());
    co_return more;
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<JobKeys> make_job_keys(Engine& engine) { return std::make_unique<SqliteJobKeys>(engine); }

}  // namespace sallyport::store::sqlite
