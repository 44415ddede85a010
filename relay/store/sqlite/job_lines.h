#pragma once

#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"

// What waits, kept beside the jobs (tables queue_lengths and job_lines), so that choosing the next job, counting a
// queue and refusing one more never walk it.
namespace sallyport::store::sqlite {

// To be called inside the transaction, after `job` was written with its state `now`. `was`: nothing for a new job.
Result<void> follow_move(Database& db, const Job& job, std::optional<domain::JobState> was, domain::JobState now);

// Active jobs of the recipe and concurrency key, whatever their group.
Result<std::uint64_t> count_active(Database& db, const OrgId& org, const RecipeId& recipe, const std::string& key);

// The group's jobs that may start now, best first. Not more of a line than it has room for.
Result<std::vector<Job>> startable_jobs(Database& db, const GroupId& group, std::size_t limit);

Result<std::uint64_t> queue_length(Database& db, const OrgId& org, const GroupId& group);
Result<std::vector<GroupId>> groups_with_queue(Database& db);
Result<std::vector<Queue>> all_queues(Database& db);

}  // namespace sallyport::store::sqlite
