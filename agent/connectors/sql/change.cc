#include "agent/connectors/sql/change.h"

#include "agent/connectors/sql/ledger.h"

#include <utility>

namespace sallyport::connectors::sql {

Ledger ledger_of(const Target& target, const Arguments& arguments) {
  return target.settings->effect_ledger && wants_exactly_once(arguments) ? Ledger::kept : Ledger::none;
}

StepResult<Change> Change::begin(const Target& target, const StepContext& context, std::string key, Ledger ledger,
                                 WallTime now) {
  const auto start = [&]() -> StepResult<Change> {
    SP_TRY(auto lease, target.pool->begin(Access::read_write, target.limits));
    Change change(target, std::move(lease), std::move(key), ledger);
    if (ledger == Ledger::kept) SP_CHECK(change.claim(now));
    return change;
  };
  auto change = start();
  if (!change && ledger == Ledger::kept && context.repeated)
    change.error().classes.insert(change.error().classes.begin(), "in_doubt");
  return change;
}

StepResult<void> Change::claim(WallTime now) {
  SP_CHECK(prepare_ledger(*lease_, target_->pool->ledger_dialect(), target_->limits));
  EffectLedger effects(*lease_, target_->pool->ledger_dialect(), target_->pool->dialect());
  SP_TRY(recorded_, effects.claim(key_, now, target_->limits));
  return {};
}

StepResult<void> Change::commit(std::int64_t affected) {
  if (ledger_ == Ledger::none) return sql::commit(*lease_, Doubt::counts, target_->limits);
  EffectLedger effects(*lease_, target_->pool->ledger_dialect(), target_->pool->dialect());
  SP_CHECK(effects.record(key_, affected, target_->limits));
  return sql::commit(*lease_, Doubt::ledger_tells, target_->limits);
}

}  // namespace sallyport::connectors::sql
