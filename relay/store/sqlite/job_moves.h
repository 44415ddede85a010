#pragma once

#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"

// Every change of a job's state, as functions inside a transaction; the contracts are those of store::Jobs.
namespace sallyport::store::sqlite {

Result<AddedJob> add_job(Database& db, const OrgId& org, const NewJob& fresh);
Result<ClaimedJob> claim_job(Database& db, const OrgId& org, const JobId& id, const Claim& claim);
Result<Job> release_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch, const Release& release);
Result<Job> finish_job(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch, const JobOutcome& outcome);
Result<Job> cancel_job(Database& db, const OrgId& org, const JobId& id, const Cancel& cancel);

}  // namespace sallyport::store::sqlite
