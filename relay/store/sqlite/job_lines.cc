#include "relay/store/sqlite/job_lines.h"

#include "relay/store/sqlite/readers.h"

#include <algorithm>
#include <tuple>

namespace sallyport::store::sqlite {
namespace {

using domain::JobState;

// Jobs that share one concurrency limit in one group.
struct Line {
  OrgId org;
  RecipeId recipe;
  std::string key;
  std::uint32_t limit = 0;
  std::int64_t room = 0;
};

constexpr std::string_view kJobsInLine =
    "from jobs indexed by jobs_in_line where org = ? and recipe = ? and concurrency_key = ? and group_id = ? and "
    "concurrency_limit = ? and state = 'queued' and concurrency_limit <> 0 order by priority desc, id limit ?";

bool better(const Job& a, const Job& b) { return std::tie(b.priority, a.id) < std::tie(a.priority, b.id); }

Result<void> change_length(Database& db, const Job& job, std::int64_t by) {
  SP_CHECK(
      db.run("insert into queue_lengths (org, group_id, queued) values (?, ?, max(?, 0)) "
             "on conflict (org, group_id) do update set queued = queued + ?",
             job.org, job.group, by, by));
  return {};
}

Result<void> write_head(Database& db, const Job& of, const Job& head) {
  SP_TRY(const auto active, count_active(db, of.org, of.recipe, of.concurrency_key));
  const auto room = static_cast<std::int64_t>(of.concurrency_limit) - static_cast<std::int64_t>(active);
  SP_CHECK(
      db.run("insert into job_lines (org, recipe, concurrency_key, group_id, concurrency_limit, head_priority, head, "
             "room) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (org, recipe, concurrency_key, group_id, "
             "concurrency_limit) do update set head_priority = excluded.head_priority, head = excluded.head",
             of.org, of.recipe, of.concurrency_key, of.group, of.concurrency_limit, head.priority, head.id, room));
  return {};
}

Result<void> refresh_line(Database& db, const Job& job) {
  SP_TRY(const auto head, db.prepare(select(kJobColumns, kJobsInLine), job.org, job.recipe, job.concurrency_key,
                                     job.group, job.concurrency_limit, 1)
                              .maybe(read_job));
  if (head) return write_head(db, job, *head);
  SP_CHECK(
      db.run("delete from job_lines where org = ? and recipe = ? and concurrency_key = ? and group_id = ? and "
             "concurrency_limit = ?",
             job.org, job.recipe, job.concurrency_key, job.group, job.concurrency_limit));
  return {};
}

Result<void> change_room(Database& db, const Job& job, std::int64_t by) {
  SP_CHECK(db.run("update job_lines set room = room + ? where org = ? and recipe = ? and concurrency_key = ?", by,
                  job.org, job.recipe, job.concurrency_key));
  return {};
}

Result<std::vector<Line>> open_lines(Database& db, const GroupId& group, std::size_t limit) {
  return db
      .prepare(
          "select org, recipe, concurrency_key, concurrency_limit, room from job_lines indexed by job_lines_open "
          "where group_id = ? and room > 0 order by head_priority desc, head limit ?",
          group, static_cast<std::uint64_t>(limit))
      .all([](Row row) {
        return Line{.org = row.id<OrgId>(),
                    .recipe = row.id<RecipeId>(),
                    .key = row.text(),
                    .limit = row.u32(),
                    .room = row.integer()};
      });
}

Queue read_queue(Row row) {
  return {.org = row.id<OrgId>(), .group = row.id<GroupId>(), .queued = row.u64(), .oldest = row.time()};
}

constexpr std::string_view kQueueColumns =
    "l.org, l.group_id, l.queued, (select min(created_at) from jobs j indexed by jobs_waiting where "
    "j.state = 'queued' and j.group_id = l.group_id) as oldest";

}  // namespace

Result<void> follow_move(Database& db, const Job& job, std::optional<JobState> was, JobState now) {
  const bool waited = was == JobState::queued, waits = now == JobState::queued;
  const bool ran = was && domain::is_active(*was), runs = domain::is_active(now);
  const bool counts = job.mode == Mode::real;  // a dry run takes no place
  if (counts && ran != runs) SP_CHECK(change_room(db, job, runs ? -1 : 1));
  if (waited == waits) return {};
  SP_CHECK(change_length(db, job, waits ? 1 : -1));
  return job.concurrency_limit == 0 ? Result<void>() : refresh_line(db, job);
}

Result<std::uint64_t> count_active(Database& db, const OrgId& org, const RecipeId& recipe, const std::string& key) {
  return db
      .prepare(
          "select count(*) from jobs indexed by jobs_concurrent where org = ? and recipe = ? and concurrency_key = ? "
          "and state in ('dispatched', 'running') and mode = 'real'",
          org, recipe, key)
      .one("recipe", [](Row row) { return row.u64(); });
}

// The best `limit` jobs stand in the `limit` lines with the best heads.
Result<std::vector<Job>> startable_jobs(Database& db, const GroupId& group, std::size_t limit) {
  SP_TRY(auto jobs, db.prepare(select(kJobColumns,
                                      "from jobs indexed by jobs_free where group_id = ? and state = 'queued' and "
                                      "concurrency_limit = 0 order by priority desc, id limit ?"),
                               group, static_cast<std::uint64_t>(limit))
                        .all(read_job));
  SP_TRY(const auto lines, open_lines(db, group, limit));
  for (const Line& line : lines) {
    const auto most = std::min<std::uint64_t>(static_cast<std::uint64_t>(line.room), limit);
    SP_TRY(auto some,
           db.prepare(select(kJobColumns, kJobsInLine), line.org, line.recipe, line.key, group, line.limit, most)
               .all(read_job));
    std::ranges::move(some, std::back_inserter(jobs));
  }
  std::ranges::sort(jobs, better);
  if (jobs.size() > limit) jobs.resize(limit);
  return jobs;
}

Result<std::uint64_t> queue_length(Database& db, const OrgId& org, const GroupId& group) {
  SP_TRY(const auto known,
         db.prepare("select queued from queue_lengths where org = ? and group_id = ?", org, group).maybe([](Row row) {
           return row.u64();
         }));
  return known.value_or(0);
}

Result<std::vector<GroupId>> groups_with_queue(Database& db) {
  return db.prepare("select group_id from queue_lengths where queued > 0").all([](Row row) {
    return row.id<GroupId>();
  });
}

Result<std::vector<Queue>> all_queues(Database& db) {
  return db.prepare(select(kQueueColumns, "from queue_lengths l where l.queued > 0 order by oldest limit 1000"))
      .all(read_queue);
}

}  // namespace sallyport::store::sqlite
