#pragma once

#include "agent/connectors/step_error.h"
#include "agent/policy/sql_text.h"
#include "shared/base/value.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::connectors::sql {

// A statement as the server takes it: `:name` has become $1 (PostgreSQL) or ?1 (SQLite), the same name always the same
// number, or ? (MySQL, ODBC), where each stands for itself. Data only ever travels as parameters beside it.
struct Statement {
  std::string text;
  std::vector<std::string> parameters;  // name of number 1, 2, ...
};

StepResult<Statement> prepare_statement(std::string_view text, policy::SqlDialect dialect);
// The same for a server that is spoken to in another way: its text is of `dialect`, the placeholders of `through`.
StepResult<Statement> prepare_statement(std::string_view text, policy::SqlDialect dialect, policy::SqlDialect through);

// The statement's parameters out of a map, in its order. Further entries are left alone (a row may have more columns
// than a statement needs); a missing one is class "invalid", by name. So is a body, which cannot be a parameter.
StepResult<ValueList> pick_parameters(const Statement& statement, const Value& map);

}  // namespace sallyport::connectors::sql
