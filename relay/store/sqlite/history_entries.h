#pragma once

#include "relay/store/history.h"
#include "relay/store/sqlite/database.h"

namespace sallyport::store::sqlite {

// Stores the entries that are not there yet, with what they say about steps and the job; how many those were.
// The caller has checked that the entries come from the job's present holder.
Result<std::size_t> store_entries(Database& db, const Job& job, const std::vector<HistoryEntry>& entries);

}  // namespace sallyport::store::sqlite
