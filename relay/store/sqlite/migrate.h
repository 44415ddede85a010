#pragma once

#include "relay/store/migrations/migrations.h"
#include "relay/store/sqlite/database.h"

#include <span>

namespace sallyport::store::sqlite {

// Applies the migrations the database lacks, in order, each in one transaction together with its record.
// Errc::invalid: the database has migrations this program does not know, or other ones under the same number.
Result<void> migrate(Database& database, std::span<const Migration> migrations);

}  // namespace sallyport::store::sqlite
