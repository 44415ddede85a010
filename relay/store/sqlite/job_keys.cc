#include "relay/store/sqlite/adapters.h"

namespace sallyport::store::sqlite {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;

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
                                          std::size_t limit) {
  return db
      .prepare(
          "select k.job, k.hour, k.wrapped, j.finished_at from job_keys k join jobs j on j.org = k.org and j.id = "
          "k.job where k.org = ? and k.kind = ? and k.hours = ? and k.hour <= ? and (j.finished_at is null or "
          "j.finished_at >= ?) limit ?",
          org, lane.kind, lane.hours, last, (last + 1) * kHourMs, std::uint64_t{limit})
      .all([](Row row) {
        auto job = row.id<JobId>();
        const Hour hour = row.integer();
        auto wrapped = row.bytes();
        return LateJobKey{std::move(job), hour, std::move(wrapped), row.maybe_time()};
      });
}

Result<void> move_keys(Database& db, const OrgId& org, const RetentionLane& lane,
                       const std::vector<MovedJobKey>& moved) {
  for (const auto& key : moved) {
    SP_CHECK(
        db.run("update job_keys set hour = ?, wrapped = ? where org = ? and kind = ? and hours = ? and hour = ? and "
               "job = ?",
               key.to, key.wrapped, org, lane.kind, lane.hours, key.from, key.job));
  }
  return {};
}

Result<void> clear_payload(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(db.run("delete from job_triggers where org = ? and job = ?", org, job));
  SP_CHECK(db.run("update steps set sealed_input = null, sealed_output = null where org = ? and job = ?", org, job));
  return {};
}

Result<void> clear_logs(Database& db, const OrgId& org, const JobId& job) {
  SP_CHECK(db.run("delete from history where org = ? and job = ?", org, job));
  SP_CHECK(db.run("update steps set sealed_message = null where org = ? and job = ?", org, job));
  SP_CHECK(db.run("update jobs set sealed_error_message = null where org = ? and id = ?", org, job));
  return {};
}

Result<std::size_t> purge_keys(Database& db, const OrgId& org, const RetentionLane& lane, Hour last,
                               std::size_t limit) {
  SP_TRY(const auto gone,
         db.prepare("select hour, job from job_keys where org = ? and kind = ? and hours = ? and hour <= ? limit ?",
                    org, lane.kind, lane.hours, last, std::uint64_t{limit})
             .all([](Row row) {
               const Hour hour = row.integer();
               return std::pair(hour, row.id<JobId>());
             }));
  for (const auto& [hour, job] : gone) {
    SP_CHECK(lane.kind == "payload" ? clear_payload(db, org, job) : clear_logs(db, org, job));
    SP_CHECK(db.run("delete from job_keys where org = ? and kind = ? and hours = ? and hour = ? and job = ?", org,
                    lane.kind, lane.hours, hour, job));
  }
  return gone.size();
}

// A job whose keys are gone, and with it that its event was seen.
Result<std::size_t> remove_old_jobs(Database& db, const OrgId& org, WallTime before, std::size_t limit) {
  SP_TRY(const auto old,
         db.prepare("select id from jobs j where org = ? and finished_at < ? and not exists (select 1 from job_keys k "
                    "where k.org = j.org and k.job = j.id) order by created_at limit ?",
                    org, before, std::uint64_t{limit})
             .all([](Row row) { return row.id<JobId>(); }));
  for (const auto& job : old) {
    SP_CHECK(clear_payload(db, org, job));
    SP_CHECK(clear_logs(db, org, job));
    SP_CHECK(db.run("delete from steps where org = ? and job = ?", org, job));
    SP_CHECK(db.run("delete from job_events where org = ? and job = ?", org, job));
    SP_CHECK(db.run("delete from jobs where org = ? and id = ?", org, job));
  }
  return old.size();
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

  awaitable<Result<std::vector<LateJobKey>>> late(OrgId org, RetentionLane lane, Hour last,
                                                  std::size_t limit) override {
    return engine_.read([org, lane, last, limit](Database& db) { return late_keys(db, org, lane, last, limit); });
  }

  awaitable<Result<void>> move(OrgId org, RetentionLane lane, std::vector<MovedJobKey> moved) override {
    return engine_.write(
        [org, lane, moved = std::move(moved)](Database& db) { return move_keys(db, org, lane, moved); });
  }

  awaitable<Result<std::size_t>> purge(OrgId org, RetentionLane lane, Hour last, std::size_t limit) override {
    return engine_.write([org, lane, last, limit](Database& db) { return purge_keys(db, org, lane, last, limit); });
  }

  awaitable<Result<std::size_t>> remove_jobs(OrgId org, WallTime before, std::size_t limit) override {
    return engine_.write([org, before, limit](Database& db) { return remove_old_jobs(db, org, before, limit); });
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
