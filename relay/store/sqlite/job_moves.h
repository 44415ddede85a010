#pragma once

#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"

// Every change of a job's state, as functions inside a transaction; the contracts are those of store::Jobs.
namespace sallyport::store::sqlite {

Result<AddedJob> add_job(Database& db, const OrgId& org, const NewJob& fresh);
Result<ClaimedJob> claim_job(Database& db, const OrgId& org, const JobId& id, const Claim& claim);
Result<void> start_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch, WallTime at);
Result<Job> release_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch, WallTime at,
                        ReleaseReason reason);
Result<Job> finish_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch, const JobOutcome& outcome);
Result<Job> cancel_job(Database& db, const OrgId& org, const JobId& id, WallTime at);

Result<std::uint64_t> count_active(Database& db, const OrgId& org, const RecipeId& recipe, const std::string& key);

}  // namespace sallyport::store::sqlite
