#pragma once

#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"

namespace sallyport::store::sqlite {

// Ends an unfinished job that no agent reports the end of, and gives it as it is then. Steps that were running are in
// doubt from now on, and so is the job: cancelled or failed would say that nothing happened. A dead one stays dead. Its
// history ends with job.finished. `if_in_doubt` is the error of a job that is in doubt and has no other.
Result<Job> end_without_report(Database& db, const Job& job, JobOutcome outcome, JobError if_in_doubt = {});

}  // namespace sallyport::store::sqlite
