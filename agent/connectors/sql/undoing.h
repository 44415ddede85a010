#pragma once

#include "agent/connectors/sql/sql_actions_parts.h"

#include <string>

namespace sallyport::connectors::sql {

// Why it is not certain that a rollback undoes statements with these verbs; empty: it does. Asks the server, in the
// transaction that `connection` has begun and before any of them runs: not of ddl or procedures where the server may
// commit by itself, not of a driver without transactions, and not where tables without them are in reach (of a trigger
// or a view, too: which tables a statement changes is not in its text).
StepResult<std::string> why_not_undone(Connection& connection, const Target& target, policy::SqlVerbs verbs);

// A dry run's words for an error of a statement that it runs. Of class "in_doubt" it would be run again; here that says
// that something is changed for good, which has to be told, once.
StepError told_of_dry_run(StepError error);

}  // namespace sallyport::connectors::sql
