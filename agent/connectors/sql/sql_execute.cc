#include "agent/connectors/rows.h"
#include "agent/connectors/sql/change.h"
#include "agent/connectors/sql/undoing.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

// One statement with its sets of parameters.
struct Work {
  Statement statement;
  policy::SqlVerbs verbs;
  const Value* parameters;  // of the arguments; nullptr: none
};

Access access_for(const std::vector<Work>& works) {
  constexpr auto kOnlySelect = static_cast<policy::SqlVerbs>(policy::SqlVerb::select);
  const bool reads = std::ranges::all_of(works, [](const Work& work) { return work.verbs == kOnlySelect; });
  return reads ? Access::read_only : Access::read_write;
}

// Runs pieces of work in one transaction, at most once per idempotency key where there is a ledger. Work that only
// selects runs read only, and leaves no key: there is nothing to do twice.
class Execution {
 public:
  Execution(const Site& site, const StepContext& context, const Target& target)
      : context_(context), target_(target), clock_(site.clock), policy_(site.policy.limits(context.connection)) {}

  StepResult<std::int64_t> run(const std::vector<Work>& works, Ledger ledger) {
    const auto access = access_for(works);
    SP_CHECK(check_ddl(works, ledger));
    if (access == Access::read_write) return change(works, ledger);
    SP_TRY(const auto lease, target_.pool->begin(access, target_.limits));
    SP_TRY(const auto affected, run_all(*lease, works));
    SP_CHECK(commit(*lease, Doubt::harmless, target_.limits));
    return affected;
  }

  // Leaves no key in the ledger either: a real run has another job's.
  StepResult<Output> dry_run(const std::vector<Work>& works, Ledger ledger) {
    SP_CHECK(check_ddl(works, ledger));
    policy::SqlVerbs verbs = 0;
    for (const auto& work : works) verbs |= work.verbs;
    SP_TRY(const auto lease, target_.pool->begin(access_for(works), target_.limits));
    SP_TRY(auto why, why_not_undone(*lease, target_, verbs));
    if (!why.empty()) return Output{Value(), Plan::planned, std::move(why)};
    const auto affected = run_all(*lease, works);
    lease->rollback();
    if (!affected) return std::unexpected(told_of_dry_run(affected.error()));
    return Output{Value(ValueMap{{Value("affected"), Value(*affected)}}), Plan::rolled_back};
  }

 private:
  // There ddl commits whatever is before it.
  StepResult<void> check_ddl(const std::vector<Work>& works, Ledger ledger) const {
    const bool has_ddl =
        std::ranges::any_of(works, [](const Work& work) { return has(work.verbs, policy::SqlVerb::ddl); });
    const auto dialect = target_.pool->dialect();
    const bool may_commit = dialect == policy::SqlDialect::mysql || dialect == policy::SqlDialect::odbc;
    if (!may_commit || !has_ddl) return {};
    if (works.size() == 1 && ledger == Ledger::none) return {};
    return step_fail("invalid",
                     "the server commits ddl by itself, or may do so: it needs a step of its own, and `exactly_once: "
                     "false` on a connection "
                     "with an effect ledger");
  }

  StepResult<std::int64_t> change(const std::vector<Work>& works, Ledger ledger) {
    SP_TRY(auto change, Change::begin(target_, context_, std::string(context_.idempotency_key), ledger, clock_.wall()));
    if (const auto& recorded = change.recorded()) return *recorded;
    SP_TRY(const auto affected, run_all(change.connection(), works));
    SP_CHECK(change.commit(affected));
    return affected;
  }

  StepResult<std::int64_t> run_all(Connection& connection, const std::vector<Work>& works) {
    std::int64_t affected = 0;
    for (std::size_t i = 0; i < works.size(); ++i) {
      auto changed = run_one(connection, works[i]);
      if (!changed && works.size() > 1)
        changed.error().message = fmt::format("statement {}: {}", i + 1, changed.error().message);
      if (!changed) return changed;
      affected += *changed;
    }
    return affected;
  }

  StepResult<std::int64_t> run_one(Connection& connection, const Work& work) {
    if (work.parameters == nullptr || work.parameters->is(Value::Kind::map)) {
      const Value none(ValueMap{});
      return run_set(connection, work.statement, work.parameters == nullptr ? none : *work.parameters);
    }
    SP_TRY(const auto sets, open_argument_rows(*work.parameters, context_.bodies));
    std::int64_t affected = 0;
    for (std::uint64_t count = 1;; ++count) {
      SP_TRY(const auto set, sets->next());
      if (!set) return affected;
      if (count > policy_.rows)
        return step_fail("too_large", "more sets of parameters than the local policy allows rows (limits.rows)");
      auto changed = run_set(connection, work.statement, *set);
      if (!changed) changed.error().message += fmt::format(" (set of parameters number {})", count);
      if (!changed) return changed;
      affected += *changed;
    }
  }

  StepResult<std::int64_t> run_set(Connection& connection, const Statement& statement, const Value& set) {
    SP_TRY(const auto parameters, pick_parameters(statement, set));
    return connection.execute(statement, parameters, dropped_, target_.limits);
  }

  const StepContext& context_;
  const Target& target_;
  const Clock& clock_;
  policy::StepLimits policy_;
  DroppedRows dropped_{policy_.rows, policy_.bytes};
};

class SqlChange : public Action {
 public:
  SqlChange(Site site, SharedDatabases databases) : site_(site), databases_(std::move(databases)) {}

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto target, find_target(site_, *databases_, context, name()));
    SP_TRY(const auto works, plan(context, target, arguments));
    SP_TRY(const auto affected, Execution(site_, context, target).run(works, ledger_of(target, arguments)));
    return Output{Value(ValueMap{{Value("affected"), Value(affected)}})};
  }

  StepResult<Output> dry_run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(const auto target, find_target(site_, *databases_, context, name()));
    SP_TRY(const auto works, plan(context, target, arguments));
    return Execution(site_, context, target).dry_run(works, ledger_of(target, arguments));
  }

  bool keeps_ledger(std::string_view name, const Value& values) const override {
    return sql::keeps_ledger(site_, name, values);
  }

 protected:
  StepResult<Work> check(const StepContext& context, const Target& target, const Value& values) const {
    const Arguments arguments(values);
    SP_TRY(const auto text, arguments.text("statement"));
    SP_TRY(auto checked, check_statement(site_, context.connection, target, text));
    return Work{std::move(checked.statement), checked.verbs, arguments.find("params")};
  }

 private:
  virtual StepResult<std::vector<Work>> plan(const StepContext& context, const Target& target,
                                             const Arguments& arguments) const = 0;

  Site site_;
  SharedDatabases databases_;
};

class SqlExecute final : public SqlChange {
 public:
  using SqlChange::SqlChange;
  std::string_view name() const override { return "sql.execute@1"; }

 private:
  StepResult<std::vector<Work>> plan(const StepContext& context, const Target& target,
                                     const Arguments& arguments) const override {
    SP_TRY(auto work, check(context, target, arguments.map()));
    std::vector<Work> works;
    works.push_back(std::move(work));
    return works;
  }
};

class SqlTransaction final : public SqlChange {
 public:
  using SqlChange::SqlChange;
  std::string_view name() const override { return "sql.transaction@1"; }

 private:
  StepResult<std::vector<Work>> plan(const StepContext& context, const Target& target,
                                     const Arguments& arguments) const override {
    const auto* statements = arguments.find("statements");
    if (statements == nullptr || !statements->is(Value::Kind::list))
      return step_fail("invalid", "the argument \"statements\" is missing or no list");
    std::vector<Work> works;
    for (const auto& statement : statements->as_list()) {
      auto work = check(context, target, statement);
      if (!work) work.error().message = fmt::format("statement {}: {}", works.size() + 1, work.error().message);
      if (!work) return std::unexpected(std::move(work).error());
      works.push_back(*std::move(work));
    }
    return works;
  }
};

}  // namespace

std::unique_ptr<Action> make_execute(Site site, SharedDatabases databases) {
  return std::make_unique<SqlExecute>(site, std::move(databases));
}
std::unique_ptr<Action> make_transaction(Site site, SharedDatabases databases) {
  return std::make_unique<SqlTransaction>(site, std::move(databases));
}

}  // namespace sallyport::connectors::sql
