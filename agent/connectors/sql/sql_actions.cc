#include "agent/connectors/sql/sql_actions.h"

#include "agent/connectors/sql/sql_actions_parts.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

namespace sallyport::connectors::sql {

StepResult<Target> find_target(const Site& site, const Databases& databases, std::string_view connection,
                               std::string_view action, const CallLimits& limits) {
  SP_CHECK(to_step(site.policy.check_action(action, connection)));
  SP_TRY(const auto* found, find_connection(site, connection, "sql"));
  auto* pool = databases.find(connection);
  if (pool == nullptr) return step_fail("internal", fmt::format("the connection \"{}\" has no pool", connection));
  return Target{found->sql(), pool, limits};
}

StepResult<Target> find_target(const Site& site, const Databases& databases, const StepContext& context,
                               std::string_view action) {
  return find_target(site, databases, context.connection, action, {context.deadline, context.stop});
}

StepResult<CheckedStatement> check_statement(const Site& site, std::string_view connection, const Target& target,
                                             std::string_view text) {
  const auto dialect = target.pool->dialect();
  SP_TRY(const auto verbs, to_step(site.policy.check_sql(connection, text, dialect)));
  SP_TRY(auto statement, prepare_statement(text, dialect));
  return CheckedStatement{std::move(statement), verbs};
}

StepResult<void> commit(Connection& connection, Doubt doubt, const CallLimits& limits) {
  auto done = connection.commit(limits);
  if (done || done.error().error_class() != "in_doubt") return done;
  auto& error = done.error();
  const bool other_file = error.classes.back() == "changed";  // its ledger tells of other transactions
  if (doubt == Doubt::harmless || (doubt == Doubt::ledger_tells && other_file)) {
    error.classes.erase(error.classes.begin());
    return done;
  }
  if (doubt == Doubt::counts) error.classes = {"in_doubt"};
  error.message = "it is not known whether the transaction took effect, its commit was not answered: " + error.message;
  return done;
}

bool wants_exactly_once(const Arguments& arguments) {
  return arguments.find("exactly_once") == nullptr || arguments.is_true("exactly_once");
}

bool keeps_ledger(const Site& site, std::string_view connection, const Value& arguments) {
  const auto found = find_connection(site, connection, "sql");
  return found && (*found)->sql()->effect_ledger && wants_exactly_once(Arguments(arguments));
}

SharedDatabases make_databases(const Site& site) { return std::make_shared<Databases>(site); }

std::vector<std::unique_ptr<Action>> make_actions(Site site) { return make_actions_on(make_databases(site), site); }

std::vector<std::unique_ptr<Action>> make_actions_on(SharedDatabases databases, Site site) {
  std::vector<std::unique_ptr<Action>> actions;
  for (auto* make : {make_query, make_execute, make_transaction, make_batch}) actions.push_back(make(site, databases));
  return actions;
}

}  // namespace sallyport::connectors::sql
