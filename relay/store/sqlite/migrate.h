#pragma once

#include "relay/store/migrations/migrations.h"
#include "relay/store/sqlite/database.h"

#include <span>

namespace sallyport::store::sqlite {

// Applies the migrations the database lacks, in order, each in one transaction together with its record. Gives how many
// it had before. Errc::invalid: it has migrations this program does not know, or other ones under the same number.
Result<std::size_t> migrate(Database& database, std::span<const Migration> migrations);

}  // namespace sallyport::store::sqlite
