#pragma once

#include "agent/connectors/arguments.h"
#include "agent/connectors/connector.h"
#include "agent/connectors/site.h"
#include "agent/connectors/sql/pool.h"
#include "agent/connectors/sql/sql_actions.h"

#include <memory>

namespace sallyport::connectors::sql {

std::unique_ptr<Action> make_query(Site site, SharedDatabases databases);
std::unique_ptr<Action> make_execute(Site site, SharedDatabases databases);
std::unique_ptr<Action> make_transaction(Site site, SharedDatabases databases);
std::unique_ptr<Action> make_batch(Site site, SharedDatabases databases);

// As Action::keeps_ledger of all that change data.
bool keeps_ledger(const Site& site, std::string_view connection, const Value& arguments);
bool wants_exactly_once(const Arguments& arguments);

// What everything here begins with: allowed at all, the pool of the connection, the limits in time.
struct Target {
  const policy::SqlConnection* settings;
  Pool* pool;
  CallLimits limits;
};
StepResult<Target> find_target(const Site& site, const Databases& databases, std::string_view connection,
                               std::string_view action, const CallLimits& limits);
StepResult<Target> find_target(const Site& site, const Databases& databases, const StepContext& context,
                               std::string_view action);

// The statement, checked against the policy and rewritten; with the verbs it has.
struct CheckedStatement {
  Statement statement;
  policy::SqlVerbs verbs;
};
StepResult<CheckedStatement> check_statement(const Site& site, std::string_view connection, const Target& target,
                                             std::string_view text);

// What a commit without an answer means: `counts` gives the class "in_doubt" and no other, so that nothing repeats the
// step by itself; `ledger_tells` gives it besides the class of what happened, because the same step run again finds
// out; `harmless` gives only the latter, because there is nothing to find out.
enum class Doubt { counts, ledger_tells, harmless };
StepResult<void> commit(Connection& connection, Doubt doubt, const CallLimits& limits);

}  // namespace sallyport::connectors::sql
