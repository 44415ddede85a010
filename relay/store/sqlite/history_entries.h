#pragma once

#include "relay/store/history.h"
#include "relay/store/sqlite/database.h"

namespace sallyport::store::sqlite {

// Stores the entries that are not there yet, with what they say about steps and the job; how many those were.
// The caller has checked that the entries come from the job's present holder.
Result<std::size_t> store_entries(Database& db, const Job& job, const std::vector<HistoryEntry>& entries);

// Ends the history of a job whose end no agent reports. Its line has the job_seq 0: an agent counts from 1.
Result<void> store_end(Database& db, const Job& job, const JobOutcome& outcome);

}  // namespace sallyport::store::sqlite
