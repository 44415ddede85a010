#pragma once

#include "agent/connectors/sql/sql_actions_parts.h"

#include <optional>
#include <string>

namespace sallyport::connectors::sql {

enum class Ledger { none, kept };
// Whether the step's effects leave a key: the connection has a ledger, and the step does not do without it.
Ledger ledger_of(const Target& target, const Arguments& arguments);

// One transaction that changes data. With a ledger its key goes down first, and its effect is there once, however often
// it is run.
class Change {
 public:
  // Until the ledger has answered, nobody knows what a run before this one did: the errors of a step that is run again
  // are "in_doubt" here.
  static StepResult<Change> begin(const Target& target, const StepContext& context, std::string key, Ledger ledger,
                                  WallTime now);

  // Of an earlier run with this key: its rows changed. There is nothing to do then, nor to commit.
  const std::optional<std::int64_t>& recorded() const { return recorded_; }
  Connection& connection() const { return *lease_; }
  StepResult<void> commit(std::int64_t affected);

 private:
  Change(const Target& target, Pool::Lease lease, std::string key, Ledger ledger)
      : target_(&target), lease_(std::move(lease)), key_(std::move(key)), ledger_(ledger) {}
  StepResult<void> claim(WallTime now);

  const Target* target_;
  Pool::Lease lease_;
  std::string key_;
  Ledger ledger_;
  std::optional<std::int64_t> recorded_;
};

}  // namespace sallyport::connectors::sql
