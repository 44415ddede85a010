#pragma once

#include "relay/store/migrations/migrations.h"
#include "relay/store/sqlite/database.h"
#include "relay/store/sqlite/sqlite_store.h"

#include <span>

// How a file of the relay is opened, whichever: WAL, synchronous=FULL, deleted bytes overwritten, mode 0600.
namespace sallyport::store::sqlite {

// Makes the file or refuses, as the options say, and brings its schema up to date.
Result<Database> open_writer(const SqliteOptions& options, std::span<const Migration> migrations);
// After the writer.
Result<Database> open_reader(const SqliteOptions& options);

}  // namespace sallyport::store::sqlite
