#pragma once

#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/libodbc.h"

#include <string>

namespace sallyport::connectors::sql {

// What a driver says first about a call that failed.
struct OdbcComplaint {
  std::string sqlstate;
  SQLINTEGER code = 0;  // the server's own
  std::string text;
};
OdbcComplaint complaint_of(SQLSMALLINT type, SQLHANDLE handle);

// A refusal of a statement. Which of a driver's texts quote data nobody can know: none is used.
StepError odbc_error(const OdbcComplaint& complaint, policy::OdbcServer server, const CallLimits& limits);

// A connection that could not be made; the text names settings, so the pool keeps it to the agent's log.
StepError odbc_connection_error(const OdbcComplaint& complaint, std::string_view doing, std::string_view password);

}  // namespace sallyport::connectors::sql
