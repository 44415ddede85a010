#pragma once

#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/phase.h"

struct sqlite3;

namespace sallyport::connectors::sql {

// The connection's last error. Texts of SQLite itself are used only where they cannot hold data: while a statement is
// prepared (they quote the statement, which is literal) and for constraints (they name tables and columns).
StepError sqlite_error(sqlite3* db, int code, Phase phase, const CallLimits& limits);

}  // namespace sallyport::connectors::sql
