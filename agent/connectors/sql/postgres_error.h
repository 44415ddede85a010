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

// A connection that could not be made, or broke. libpq's text names host, port and reason only.
StepError postgres_connection_error(const pg_conn* connection, std::string_view doing);

}  // namespace sallyport::connectors::sql
