#pragma once

#include "relay/store/history.h"
#include "relay/store/sqlite/database.h"

namespace sallyport::store::sqlite {

// Stores the entries that are not there yet, with what they say about steps and the job; how many those were.
// The caller has checked that the entries come from the job's present holder.
Result<std::size_t> store_entries(Database& db, const Job& job, const std::vector<HistoryEntry>& entries);

// Lines that no agent reports have the job_seq 0, one for each epoch: an agent counts from 1.
// Ends the history of a job.
Result<void> store_end(Database& db, const Job& job, const JobOutcome& outcome);
// `job` as it was held.
Result<void> store_release(Database& db, const Job& job, const Release& release);

}  // namespace sallyport::store::sqlite
