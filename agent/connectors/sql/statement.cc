#include "agent/connectors/sql/statement.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::sql {

namespace {

bool is_by_place(policy::SqlDialect dialect) {
  return dialect == policy::SqlDialect::mysql || dialect == policy::SqlDialect::odbc;
}

std::string placeholder(policy::SqlDialect dialect, std::ptrdiff_t number) {
  if (is_by_place(dialect)) return "?";
  return fmt::format("{}{}", dialect == policy::SqlDialect::postgres ? '$' : '?', number);
}

}  // namespace

StepResult<Statement> prepare_statement(std::string_view text, policy::SqlDialect dialect) {
  return prepare_statement(text, dialect, dialect);
}

StepResult<Statement> prepare_statement(std::string_view text, policy::SqlDialect dialect, policy::SqlDialect through) {
  const auto tokens = policy::tokenize_sql(text, dialect);
  if (!tokens) return step_fail("invalid", tokens.error().message);
  Statement statement;
  std::size_t copied = 0;
  for (const auto& token : *tokens) {
    if (token.kind != policy::SqlToken::Kind::parameter) continue;
    auto& names = statement.parameters;
    auto it = is_by_place(through) ? names.end() : std::ranges::find(names, token.text);
    if (it == names.end()) it = names.emplace(names.end(), token.text);
    statement.text += text.substr(copied, token.offset - copied);
    statement.text += placeholder(through, it - names.begin() + 1);
    copied = token.offset + 1 + token.text.size();
  }
  statement.text += text.substr(copied);
  if (statement.parameters.size() > 30'000) return step_fail("invalid", "the statement has more than 30000 parameters");
  return statement;
}

StepResult<ValueList> pick_parameters(const Statement& statement, const Value& map) {
  ValueList values;
  values.reserve(statement.parameters.size());
  for (const auto& name : statement.parameters) {
    const auto* value = map.is(Value::Kind::map) ? map.find(name) : nullptr;
    if (value == nullptr) return step_fail("invalid", fmt::format("the parameter :{} has no value", name));
    if (value->is(Value::Kind::handle))
      return step_fail("invalid", fmt::format("the parameter :{} is a body; only values can be parameters", name));
    values.push_back(*value);
  }
  return values;
}

}  // namespace sallyport::connectors::sql
