#pragma once

#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/phase.h"

#include <string>
#include <string_view>

struct pg_conn;
struct pg_result;

namespace sallyport::connectors::sql {

// A refusal of the server, by its SQLSTATE (PostgreSQL appendix A). DETAIL, HINT and CONTEXT, and for data exceptions
// (class 22) and user-raised ones the primary message, quote rows and parameters: they are never used. Once a statement
// runs, its values are also read as names and queries (`:p::regclass`, to_tsquery(:p)): from then on the primary
// message of syntax, access and name errors is not used either.
StepError postgres_error(const pg_result* result, Phase phase, const CallLimits& limits);
StepError sqlstate_error(std::string_view sqlstate, std::string_view primary, Phase phase, const CallLimits& limits);

// A connection that could not be made. libpq's text names host, port, user, database and reason: settings, so the pool
// keeps it to the agent's log.
StepError postgres_connection_error(const pg_conn* connection, std::string_view doing);
// A session that broke: class "connection", and nothing of the settings.
StepError broken_session_error(const pg_conn* connection, std::string_view doing);

}  // namespace sallyport::connectors::sql
