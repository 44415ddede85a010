#pragma once

#include "agent/connectors/sql/database.h"
#include "shared/base/clock.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sallyport::connectors::sql {

// The effect ledger: a table of the target database in which each step run leaves its idempotency key, in the same
// transaction as its effect. Whoever finds the key knows that the effect is there, and what it was.
//
//   create table sallyport_effects (key text primary key, at text not null, affected bigint not null)
//
// Created when absent; where the database's user may not, the error says what the operator has to run. On MySQL its
// engine must know transactions.
class EffectLedger {
 public:
  // The SQL is that of `server`, spoken to through `dialect`.
  EffectLedger(Connection& connection, policy::SqlDialect server, policy::SqlDialect dialect)
      : connection_(connection), server_(server), dialect_(dialect) {}

  // Puts the key down before the effect. Gives the recorded count when an earlier run has been here; a run at the same
  // time on another connection is waited for. Call it inside the transaction, first.
  StepResult<std::optional<std::int64_t>> claim(std::string_view key, WallTime now, const CallLimits& limits);
  StepResult<void> record(std::string_view key, std::int64_t affected, const CallLimits& limits);

 private:
  StepResult<Statement> statement(std::string_view text) const { return prepare_statement(text, server_, dialect_); }
  Connection& connection_;
  policy::SqlDialect server_, dialect_;
};

// Makes the table if it is not there, inside the open transaction; on MySQL, where that would end it, before it begins
// once more.
StepResult<void> prepare_ledger(Connection& connection, policy::SqlDialect server, const CallLimits& limits);

}  // namespace sallyport::connectors::sql
