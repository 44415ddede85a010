#pragma once

#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"

namespace sallyport::store::sqlite {

Result<Page<Job>> list_jobs(Database& db, const OrgId& org, const JobFilter& filter, const PageQuery& page);
Result<std::vector<Job>> jobs_held_by(Database& db, const OrgId& org, const AgentId& agent);
Result<std::vector<Job>> next_jobs(Database& db, std::vector<GroupId> among, std::size_t limit);
Result<Page<Job>> all_active_jobs(Database& db, const PageQuery& page);
Result<std::vector<Job>> next_without_payload(Database& db, std::size_t limit);
Result<std::vector<StateCount>> count_unfinished(Database& db);

}  // namespace sallyport::store::sqlite
