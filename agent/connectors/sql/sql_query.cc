#include "agent/connectors/spooled_rows.h"
#include "agent/connectors/sql/sql_actions_parts.h"

#include <utility>

namespace sallyport::connectors::sql {
namespace {

// The rows of a result set, into the spool.
class SpooledResult final : public RowSink {
 public:
  explicit SpooledResult(SpooledRows& rows) : rows_(rows) {}
  StepResult<void> begin(const std::vector<std::string>& columns) override { return rows_.begin(columns); }
  StepResult<void> row(ValueList values) override { return rows_.row(std::move(values)); }

 private:
  SpooledRows& rows_;
};

class SqlQuery final : public Action {
 public:
  SqlQuery(Site site, SharedDatabases databases) : site_(site), databases_(std::move(databases)) {}
  std::string_view name() const override { return "sql.query@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
    return read(context, values, [](Connection& connection, const CallLimits& limits) {
      return commit(connection, Doubt::harmless, limits);
    });
  }

  // A function that it calls may do what a transaction that is read only lets it, and what is undone with it.
  StepResult<Output> dry_run(const StepContext& context, const Value& values) override {
    SP_TRY(auto output, read(context, values, [](Connection& connection, const CallLimits&) {
             connection.rollback();
             return StepResult<void>();
           }));
    output.plan = Plan::ran;
    return output;
  }

 private:
  template <class End>
  StepResult<Output> read(const StepContext& context, const Value& values, End end) {
    const Arguments arguments(values);
    SP_TRY(const auto target, find_target(site_, *databases_, context, name()));
    SP_TRY(const auto text, arguments.text("statement"));
    SP_TRY(const auto checked, check_statement(site_, context.connection, target, text));
    if (checked.verbs != static_cast<policy::SqlVerbs>(policy::SqlVerb::select)) {
      return step_fail("invalid", "sql.query only reads; statements that change data belong into sql.execute");
    }
    const Value none(ValueMap{});
    const auto* given = arguments.find("params");
    SP_TRY(const auto parameters, pick_parameters(checked.statement, given == nullptr ? none : *given));
    const auto limits = row_limits(site_, context, arguments);
    SP_TRY(auto rows, SpooledRows::open(context.bodies, limits));
    SpooledResult sink(rows);
    SP_TRY(const auto lease, target.pool->begin(Access::read_only, target.limits));
    SP_CHECK(lease->query(checked.statement, parameters, sink, target.limits));
    SP_CHECK(end(*lease, target.limits));
    SP_TRY(auto output, rows.finish(arguments));
    return Output{Value(std::move(output))};
  }

  Site site_;
  SharedDatabases databases_;
};

}  // namespace

std::unique_ptr<Action> make_query(Site site, SharedDatabases databases) {
  return std::make_unique<SqlQuery>(site, std::move(databases));
}

}  // namespace sallyport::connectors::sql
