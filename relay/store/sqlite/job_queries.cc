#include "relay/store/sqlite/job_queries.h"

#include "relay/store/sqlite/job_lines.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <array>
#include <map>

namespace sallyport::store::sqlite {
namespace {

using domain::JobState;

// The index is named, because SQLite without statistics would rather walk all jobs of the organisation. Of several
// filters the first here chooses it; each gives the jobs by age, so that a page and `since` end the walk (the few
// active ones are sorted). States are literals, so that the partial indexes apply.
std::string source_of(const JobFilter& filter) {
  const std::string from = "from jobs indexed by ";
  if (filter.state == JobState::queued) return from + "jobs_queued where state = 'queued'";
  if (filter.state) {
    const auto state = domain::to_string(*filter.state);
    if (domain::is_final(*filter.state)) {
      return from + fmt::format("jobs_finished where finished_at is not null and state = '{}'", state);
    }
    return from + fmt::format("jobs_active where state in ('dispatched', 'running') and state = '{}'", state);
  }
  if (filter.agent) return from + "jobs_by_agent where agent is not null";
  if (filter.recipe) return from + "jobs_by_recipe where true";
  return from + "jobs_by_age where true";
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
    SP_TRY(auto line, startable_jobs(db, group, limit));
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
  SP_TRY(TimeCursor before, read_time_cursor(page.after));
  if (filter.until) before = std::min(before, TimeCursor{unix_ms(*filter.until), ""});
  std::string where = source_of(filter) + " and org = ?1 and (created_at, id) < (?2, ?3)";
  if (filter.recipe) where += " and recipe = ?4";
  if (filter.agent) where += " and agent = ?5";
  if (filter.since) where += " and created_at >= ?6";
  if (filter.ended) where += " and finished_at is not null";
  where += " order by created_at desc, id desc limit ?7";
  return page_of(db.prepare(select(kJobColumns, where), org, before.at, before.id, filter.recipe, filter.agent,
                            filter.since, one_more(limit)),
                 limit, read_job, [](const Job& job) { return time_cursor(job.created_at, job.id.value); });
}

Result<std::vector<Job>> jobs_held_by(Database& db, const OrgId& org, const AgentId& agent) {
  return db
      .prepare(select(kJobColumns,
                      "from jobs indexed by jobs_active where org = ? and agent = ? and state in ('dispatched', "
                      "'running') order by id limit 1000"),
               org, agent)
      .all(read_job);
}

// Its cursor is "<org>/<agent>/<id>"; an active job has an agent.
Result<Page<Job>> all_active_jobs(Database& db, const PageQuery& page) {
  const std::size_t limit = page.bounded_limit();
  std::array<std::string, 3> after;
  std::string_view rest = page.after;
  for (std::string& part : after) {
    part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  }
  return page_of(db.prepare(select(kJobColumns,
                                   "from jobs indexed by jobs_active where (org, agent, id) > (?, ?, ?) and state in "
                                   "('dispatched', 'running') order by org, agent, id limit ?"),
                            after[0], after[1], after[2], one_more(limit)),
                 limit, read_job, [](const Job& job) {
                   return fmt::format("{}/{}/{}", job.org.value, job.agent.value_or(AgentId()).value, job.id.value);
                 });
}

Result<std::vector<Job>> next_without_payload(Database& db, std::size_t limit) {
  return db
      .prepare(select(kJobColumns,
                      "from jobs indexed by jobs_queued_without_payload where state = 'queued' and payload = 'none' "
                      "order by id limit ?"),
               limit)
      .all(read_job);
}

Result<std::vector<StateCount>> count_unfinished(Database& db) {
  return db
      .prepare(
          "select 'queued', coalesce(sum(queued), 0) from queue_lengths union all "
          "select state, count(*) from jobs where state in ('dispatched', 'running') group by state")
      .all([](Row row) {
        return StateCount{.state = domain::parse_job_state(row.text()).value_or(JobState::dead), .count = row.u64()};
      });
}

}  // namespace sallyport::store::sqlite
