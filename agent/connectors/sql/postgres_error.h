#pragma once

#include "agent/connectors/sql/database.h"

#include <string>
#include <string_view>

struct pg_conn;
struct pg_result;

namespace sallyport::connectors::sql {

// A refusal of the server, by its SQLSTATE (PostgreSQL appendix A). DETAIL, HINT, CONTEXT and, for data exceptions
// (class 22) and user-raised ones, the primary message quote rows and parameters: they are never used.
StepError postgres_error(const pg_result* result, const CallLimits& limits);
StepError sqlstate_error(std::string_view sqlstate, std::string_view primary, const CallLimits& limits);

// A connection that could not be made. libpq's text names host, port, user, database and reason: settings, so the pool
// keeps it to the agent's log.
StepError postgres_connection_error(const pg_conn* connection, std::string_view doing);
// A session that broke: class "connection", and nothing of the settings.
StepError broken_session_error(const pg_conn* connection, std::string_view doing);

}  // namespace sallyport::connectors::sql
