#pragma once

#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/phase.h"

#include <string_view>

namespace sallyport::connectors::sql {

// What a server or the client library says: the number of the error, which tells more than the SQLSTATE, and its text.
struct MysqlComplaint {
  unsigned code;
  std::string_view sqlstate, text;
};

// A refusal of the server. ISO's SQLSTATEs for the constraints, so that a recipe's `retry.on` means the same on every
// server. The text is used only where it names objects: while a statement is prepared, and for constraints. Of
// "Duplicate entry 'VALUE' for key 'NAME'" only the name is.
StepError mysql_error(const MysqlComplaint& complaint, Phase phase, const CallLimits& limits);

// Made by the client library itself: the server has not answered, or not in its protocol.
bool is_of_the_client(unsigned code);

// A connection that could not be made; the text names settings, so the pool keeps it to the agent's log.
StepError mysql_connection_error(const MysqlComplaint& complaint, std::string_view doing);

}  // namespace sallyport::connectors::sql
