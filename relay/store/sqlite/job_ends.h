#pragma once

#include "relay/store/jobs.h"
#include "relay/store/sqlite/database.h"

namespace sallyport::store::sqlite {

// Ends an unfinished job that no agent reports the end of, and gives it as it is then. Steps that were running are in
// doubt from now on, and so is the job: cancelled or failed would say that nothing happened. A dead one stays dead. Its
// history ends with job.finished.
Result<Job> end_without_report(Database& db, const Job& job, JobOutcome outcome);

}  // namespace sallyport::store::sqlite
