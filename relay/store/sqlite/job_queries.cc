#include "relay/store/sqlite/job_queries.h"

#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <map>

namespace sallyport::store::sqlite {
namespace {

using domain::JobState;

// The index is named, because SQLite without statistics would rather walk all jobs of the organisation. Of several
// filters the first here chooses it. States are literals, so that the partial indexes apply.
std::string source_of(const JobFilter& filter) {
  const std::string from = "from jobs indexed by ";
  if (filter.state == JobState::queued) {
    return from + "jobs_queued where state = 'queued' and group_id in (select id from agent_groups where org = ?1)";
  }
  if (filter.state) {
    const auto state = domain::to_string(*filter.state);
    if (domain::is_final(*filter.state)) {
      return from + fmt::format("jobs_finished where finished_at is not null and state = '{}'", state);
    }
    return from + fmt::format("jobs_active where state in ('dispatched', 'running') and state = '{}'", state);
  }
  if (filter.agent) return from + "jobs_by_agent where agent is not null";
  if (filter.recipe) return from + "jobs_by_recipe where true";
  return filter.since ? from + "jobs_by_age where true" : "from jobs where true";
}

std::string job_cursor(const Job& job) { return job.id.value; }

// One line's jobs that may start now, best first. Not more of a recipe and key than its limit leaves room for.
Result<std::vector<Job>> head_of_line(Database& db, const GroupId& group, std::size_t limit) {
  return db
      .prepare(
          select(
              kJobColumns,
              "from jobs q where group_id = ? and state = 'queued' and (concurrency_limit = 0 or "
              "(select count(*) from jobs a indexed by jobs_concurrent where a.org = q.org and a.recipe = q.recipe and "
              "a.concurrency_key = q.concurrency_key and a.state in ('dispatched', 'running')) "
              "< concurrency_limit) order by priority desc, id limit ?"),
          group, static_cast<std::uint64_t>(limit))
      .all(read_job);
}

Result<std::vector<GroupId>> groups_with_queue(Database& db) {
  return db
      .prepare(
          "with recursive line (id) as ("
          "select min(group_id) from jobs where state = 'queued' union all "
          "select (select min(group_id) from jobs where state = 'queued' and group_id > line.id) from line "
          "where line.id is not null) select id from line where id is not null")
      .all([](Row row) { return row.id<GroupId>(); });
}

// Jobs of one organisation's groups, and whose turn it is.
struct Turns {
  std::vector<std::vector<Job>> lines;
  std::size_t next_line = 0;

  std::optional<Job> take() {
    while (!lines.empty()) {
      next_line %= lines.size();
      auto& line = lines[next_line];
      if (line.empty()) {
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(next_line));
        continue;
      }
      Job job = std::move(line.back());
      line.pop_back();
      ++next_line;
      return job;
    }
    return std::nullopt;
  }
};

}  // namespace

Result<std::vector<Job>> next_jobs(Database& db, std::vector<GroupId> among, std::size_t limit) {
  if (among.empty()) {
    SP_TRY(among, groups_with_queue(db));
  }
  std::map<OrgId, Turns> organisations;
  for (const GroupId& group : among) {
    SP_TRY(auto line, head_of_line(db, group, limit));
    if (line.empty()) continue;
    const OrgId org = line.front().org;
    organisations[org].lines.emplace_back(std::make_move_iterator(line.rbegin()), std::make_move_iterator(line.rend()));
  }
  std::vector<Job> chosen;
  while (chosen.size() < limit && !organisations.empty()) {
    for (auto turn = organisations.begin(); turn != organisations.end() && chosen.size() < limit;) {
      auto job = turn->second.take();
      turn = job ? std::next(turn) : organisations.erase(turn);
      if (job) chosen.push_back(*std::move(job));
    }
  }
  return chosen;
}

Result<Page<Job>> list_jobs(Database& db, const OrgId& org, const JobFilter& filter, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  std::string where = source_of(filter) + " and org = ?1 and id < ?2";
  if (filter.recipe) where += " and recipe = ?3";
  if (filter.agent) where += " and agent = ?4";
  if (filter.since) where += " and created_at >= ?5";
  where += " order by id desc limit ?6";
  return page_of(db.prepare(select(kJobColumns, where), org, or_end(page.after), filter.recipe, filter.agent,
                            filter.since, one_more(limit)),
                 limit, read_job, job_cursor);
}

Result<std::vector<Job>> jobs_held_by(Database& db, const OrgId& org, const AgentId& agent) {
  return db
      .prepare(select(kJobColumns,
                      "from jobs indexed by jobs_active where org = ? and agent = ? and state in ('dispatched', "
                      "'running') order by id limit 1000"),
               org, agent)
      .all(read_job);
}

Result<std::vector<Queue>> waiting_lines(Database& db) {
  return db
      .prepare("select org, group_id, count(*), min(created_at) from jobs where state = 'queued' group by group_id")
      .all([](Row row) {
        return Queue{.org = row.id<OrgId>(), .group = row.id<GroupId>(), .queued = row.u64(), .oldest = row.time()};
      });
}

Result<Page<Job>> all_active_jobs(Database& db, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  const std::string org = page.after.substr(0, page.after.find('/'));
  const std::string id = page.after.substr(std::min(org.size() + 1, page.after.size()));
  return page_of(
      db.prepare(select(kJobColumns,
                        "from jobs indexed by jobs_active where (org, id) > (?, ?) and state in ('dispatched', "
                        "'running') order by org, id limit ?"),
                 org, id, one_more(limit)),
      limit, read_job, [](const Job& job) { return job.org.value + "/" + job.id.value; });
}

Result<std::vector<StateCount>> count_unfinished(Database& db) {
  return db
      .prepare(
          "select 'queued', count(*) from jobs where state = 'queued' union all "
          "select state, count(*) from jobs where state in ('dispatched', 'running') group by state")
      .all([](Row row) {
        return StateCount{.state = domain::parse_job_state(row.text()).value_or(JobState::dead), .count = row.u64()};
      });
}

}  // namespace sallyport::store::sqlite
