#pragma once

#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"

#include <memory>
#include <vector>

namespace sallyport::connectors::sql {

class Databases;
using SharedDatabases = std::shared_ptr<Databases>;
// The bounded pools of sessions, one for each connection of kind "sql", which actions and triggers share.
SharedDatabases make_databases(const Site& site);

// sql.query@1, sql.execute@1, sql.transaction@1, sql.batch@1 on the connections of kind "sql"; arguments and outputs
// are in the catalogue (docs/actions.md). Data travels as parameters only; the local policy's verbs are checked on the
// statement's text, and on SQLite by its authorizer too. Errors: "sqlstate:XXXXX" with one of connection, constraint,
// transaction, permission, invalid, not_found, disk_full, too_large; and policy, timeout, cancelled. No message holds
// data of a row or a parameter. "in_doubt": the connection broke, or time was up, between COMMIT and its answer. With
// an effect ledger, which tells when the step is run again, the class of what happened stands behind it; the same when
// it is run again and the ledger cannot be asked.
//
// exactly_once (default true): on connections with `effect_ledger: true` the step's idempotency key is written in the
// same transaction as its effect; a run that finds it does nothing and gives the recorded output.
std::vector<std::unique_ptr<Action>> make_actions_on(SharedDatabases databases, Site site);
std::vector<std::unique_ptr<Action>> make_actions(Site site);  // on pools of their own

}  // namespace sallyport::connectors::sql
