#include "agent/connectors/sql/sqlite_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace sallyport::connectors::sql {
namespace {

StepError error(std::vector<std::string> classes, std::string message) {
  return StepError{std::move(classes), std::move(message), {}};
}

// The codes of ISO 9075, so that a recipe's `retry.on` means the same on every server.
StepError constraint(int extended, const std::string& text) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY: return error({"sqlstate:23505", "constraint"}, text);
    case SQLITE_CONSTRAINT_FOREIGNKEY: return error({"sqlstate:23503", "constraint"}, text);
    case SQLITE_CONSTRAINT_NOTNULL: return error({"sqlstate:23502", "constraint"}, text);
    case SQLITE_CONSTRAINT_CHECK: return error({"sqlstate:23514", "constraint"}, text);
    default: return error({"sqlstate:23000", "constraint"}, "a constraint of the database refuses the row");
  }
}

}  // namespace

StepError sqlite_error(sqlite3* db, int code, Phase phase, const CallLimits& limits) {
  const std::string text = sqlite3_errmsg(db);
  const std::string general = sqlite3_errstr(code);
  switch (code & 0xFF) {
    case SQLITE_INTERRUPT:
      if (limits.stop.stop_requested()) return error({"cancelled"}, "stopped");
      return error({"timeout"}, "the statement did not end in time");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      if (limits.stop.stop_requested()) return error({"cancelled"}, "stopped");
      if (std::chrono::steady_clock::now() >= limits.deadline)
        return error({"timeout"}, "another transaction held the database file all the time");
      return error({"transaction"}, "the database file is locked by another transaction");
    case SQLITE_CONSTRAINT: return constraint(sqlite3_extended_errcode(db), text);
    case SQLITE_FULL: return error({"disk_full"}, general);
    case SQLITE_TOOBIG: return error({"too_large"}, general);
    case SQLITE_AUTH:
      return error({"permission"}, phase == Phase::prepare
                                       ? "the local policy's verbs do not cover what the statement does: " + text
                                       : general);
    case SQLITE_PERM:
    case SQLITE_READONLY: return error({"permission"}, general);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: return error({"connection"}, general);
    case SQLITE_NOMEM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return error({"internal"}, general);
    default: return error({"invalid"}, phase == Phase::prepare ? text : general);
  }
}

}  // namespace sallyport::connectors::sql
