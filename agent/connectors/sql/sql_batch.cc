#include "agent/connectors/rows.h"
#include "agent/connectors/sql/change.h"
#include "agent/connectors/sql/parameter_sets.h"
#include "agent/connectors/sql/undoing.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::connectors::sql {
namespace {

// What a step was asked to write, and what has become of it.
struct Progress {
  std::int64_t affected = 0;
  std::uint64_t committed = 0;  // rows, by this run and those before it
};

// Runs one statement for every row, in one transaction or in one for each `commit_every` rows. Each transaction has a
// key of its own in the ledger, so that a step that is run again goes on where it was.
class Batches {
 public:
  Batches(const Site& site, const StepContext& context, const Target& target, const Statement& statement)
      : context_(context),
        target_(target),
        statement_(statement),
        clock_(site.clock),
        policy_(site.policy.limits(context.connection)) {}

  StepResult<void> run(ParameterSets& sets, std::uint64_t commit_every, Ledger ledger) {
    for (std::uint64_t number = 1;; ++number) {
      SP_TRY(const auto more, sets.has_more());
      if (!more) return {};
      auto key = commit_every == UINT64_MAX ? std::string(context_.idempotency_key)
                                            : fmt::format("{}/{}", context_.idempotency_key, number);
      sets.begin_part(commit_every);
      SP_TRY(auto change, Change::begin(target_, context_, std::move(key), ledger, clock_.wall()));
      std::int64_t affected = 0;
      if (const auto& recorded = change.recorded()) {
        affected = *recorded;
        SP_CHECK(sets.skip_part());
      } else {
        SP_TRY(affected, write(change.connection(), sets));
        SP_CHECK(change.commit(affected));
      }
      progress_.affected += affected;
      progress_.committed = sets.taken();
    }
  }
  // All of it in one transaction, and no key in the ledger.
  StepResult<Output> dry_run(ParameterSets& sets, policy::SqlVerbs verbs) {
    SP_TRY(const auto lease, target_.pool->begin(Access::read_write, target_.limits));
    SP_TRY(auto why, why_not_undone(*lease, target_, verbs));
    if (!why.empty()) return Output{Value(), Plan::planned, std::move(why)};
    sets.begin_part(UINT64_MAX);
    const auto affected = write(*lease, sets);
    lease->rollback();
    if (!affected) return std::unexpected(told_of_dry_run(affected.error()));
    return Output{counts(*affected, sets), Plan::rolled_back};
  }
  const Progress& progress() const { return progress_; }

  static Value counts(std::int64_t affected, const ParameterSets& sets) {
    return Value(ValueMap{{Value("affected"), Value(affected)},
                          {Value("rows"), Value(static_cast<std::int64_t>(sets.taken()))}});
  }

 private:
  StepResult<std::int64_t> write(Connection& connection, ParameterSets& sets) {
    std::int64_t affected = 0;
    for (;;) {
      const auto before = sets.taken();
      SP_TRY(const auto some, sets.next_some());
      if (some.empty()) return affected;
      std::size_t done = 0;
      auto changed = connection.execute_each(statement_, some, done, dropped_, target_.limits);
      if (!changed) changed.error().message = fmt::format("row {}: {}", before + done + 1, changed.error().message);
      if (!changed) return changed;
      affected += *changed;
    }
  }

  const StepContext& context_;
  const Target& target_;
  const Statement& statement_;
  const Clock& clock_;
  policy::StepLimits policy_;
  DroppedRows dropped_{policy_.rows, policy_.bytes};
  Progress progress_;
};

StepResult<void> check_verbs(policy::SqlVerbs verbs) {
  if (verbs == static_cast<policy::SqlVerbs>(policy::SqlVerb::select))
    return step_fail("invalid", "sql.batch writes rows; statements that only read belong into sql.query");
  if (has(verbs, policy::SqlVerb::ddl))
    return step_fail("invalid", "sql.batch writes rows; what makes or changes tables belongs into sql.execute");
  return {};
}

// Without a ledger nothing may run again by itself what is committed already: that is for a person to settle.
StepError after_commits(StepError error, const Progress& progress, Ledger ledger) {
  if (progress.committed == 0) return error;
  if (ledger == Ledger::none) error.classes = {"in_doubt"};
  error.message = fmt::format("{}; the {} rows before are committed", error.message, progress.committed);
  return error;
}

class SqlBatch final : public Action {
 public:
  SqlBatch(Site site, SharedDatabases databases) : site_(site), databases_(std::move(databases)) {}
  std::string_view name() const override { return "sql.batch@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    const Arguments arguments(values);
    SP_TRY(auto job, begin(context, arguments));
    auto sets = sets_of(context, job);
    const auto commit_every = arguments.find("commit_every") == nullptr
                                  ? UINT64_MAX
                                  : static_cast<std::uint64_t>(arguments.integer_or("commit_every", 1));
    const auto ledger = ledger_of(job.target, arguments);
    Batches batches(site_, context, job.target, job.checked.statement);
    auto done = batches.run(sets, commit_every, ledger);
    if (!done) return std::unexpected(after_commits(std::move(done).error(), batches.progress(), ledger));
    return Output{Batches::counts(batches.progress().affected, sets)};
  }

  StepResult<Output> dry_run(const StepContext& context, const Value& values) override {
    SP_TRY(auto job, begin(context, Arguments(values)));
    auto sets = sets_of(context, job);
    return Batches(site_, context, job.target, job.checked.statement).dry_run(sets, job.checked.verbs);
  }

  bool keeps_ledger(std::string_view connection, const Value& values) const override {
    return sql::keeps_ledger(site_, connection, values);
  }

 private:
  struct Job {
    Target target;
    CheckedStatement checked;
    std::unique_ptr<RowReader> rows;
  };
  StepResult<Job> begin(const StepContext& context, const Arguments& arguments) const {
    SP_TRY(const auto target, find_target(site_, *databases_, context, name()));
    SP_TRY(const auto text, arguments.text("statement"));
    SP_TRY(auto checked, check_statement(site_, context.connection, target, text));
    SP_CHECK(check_verbs(checked.verbs));
    SP_TRY(const auto* rows, arguments.any("rows"));
    SP_TRY(auto reader, open_argument_rows(*rows, context.bodies));
    return Job{target, std::move(checked), std::move(reader)};
  }
  ParameterSets sets_of(const StepContext& context, Job& job) const {
    return {std::move(job.rows), job.checked.statement, site_.policy.limits(context.connection).rows};
  }

  Site site_;
  SharedDatabases databases_;
};

}  // namespace

std::unique_ptr<Action> make_batch(Site site, SharedDatabases databases) {
  return std::make_unique<SqlBatch>(site, std::move(databases));
}

}  // namespace sallyport::connectors::sql
