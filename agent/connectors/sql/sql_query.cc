#include "agent/connectors/sql/sql_actions_parts.h"
#include "agent/connectors/stored_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

constexpr std::size_t kPiece = 64u << 10;
constexpr std::size_t kInlineRows = 100;
constexpr std::size_t kInlineBytes = 64u << 10;
constexpr std::size_t kInlineWithNames = 128u << 10;  // half of what a step may give
constexpr std::int64_t kDefaultBatch = 500;

struct Ceilings {
  std::uint64_t rows, bytes;
  std::string rows_limit;  // what set it, for the message
};

// Writes rows into the spool; keeps them as values besides while they are few.
class SpooledRows final : public RowSink {
 public:
  SpooledRows(BodyWriter& spool, Ceilings ceilings) : spool_(spool), ceilings_(std::move(ceilings)) {}

  StepResult<void> begin(const std::vector<std::string>& columns) override {
    SP_TRY(piece_, stored_columns_line(columns));
    names_bytes_ = piece_.size();
    keys_.assign(columns.begin(), columns.end());
    return {};
  }

  StepResult<void> row(ValueList values) override {
    if (count_ == ceilings_.rows)
      return step_fail("too_large",
                       fmt::format("more than {} rows, the limit of {}", ceilings_.rows, ceilings_.rows_limit));
    const auto line = stored_row_line(values);
    ++count_;
    SP_CHECK(check_row(count_, line.size()));
    piece_ += line;
    bytes_ += line.size();
    if (bytes_ > ceilings_.bytes)
      return step_fail("too_large", fmt::format("more than {} bytes, the limit of the local policy (limits.bytes)",
                                                ceilings_.bytes));
    keep(std::move(values));
    return piece_.size() < kPiece ? StepResult<void>() : flush();
  }

  StepResult<void> flush() {
    SP_CHECK(spool_.write(as_bytes(piece_)));
    piece_.clear();
    return {};
  }

  std::int64_t count() const { return static_cast<std::int64_t>(count_); }
  Value columns() const { return Value(ValueList(keys_)); }
  Value list() { return is_small() ? Value(std::exchange(small_, {})) : Value(); }

 private:
  void keep(ValueList values) {
    if (!is_small()) return small_.clear();
    ValueMap row;
    for (std::size_t i = 0; i < keys_.size(); ++i) row.emplace(keys_[i], std::move(values[i]));
    small_.emplace_back(std::move(row));
  }
  bool is_small() const {
    return count_ <= kInlineRows && bytes_ <= kInlineBytes && bytes_ + count_ * names_bytes_ <= kInlineWithNames;
  }

  BodyWriter& spool_;
  Ceilings ceilings_;
  ValueList keys_, small_;
  std::string piece_;
  std::uint64_t count_ = 0, bytes_ = 0, names_bytes_ = 0;
};

class SqlQuery final : public Action {
 public:
  SqlQuery(Site site, SharedDatabases databases) : site_(site), databases_(std::move(databases)) {}
  std::string_view name() const override { return "sql.query@1"; }

  StepResult<Output> run(const StepContext& context, const Value& values) override {
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
    SP_TRY(const auto spool, context.bodies.new_spool("application/json"));
    SpooledRows rows(*spool, ceilings(context, arguments));
    SP_TRY(const auto lease, target.pool->begin(Access::read_only, target.limits));
    SP_CHECK(lease->query(checked.statement, parameters, rows, target.limits));
    SP_CHECK(commit(*lease, Doubt::harmless, target.limits));
    SP_CHECK(rows.flush());
    return finish(arguments, rows, *spool);
  }

 private:
  Ceilings ceilings(const StepContext& context, const Arguments& arguments) const {
    const auto limits = site_.policy.limits(context.connection);
    Ceilings ceilings{limits.rows, limits.bytes, "the local policy (limits.rows)"};
    const auto own = static_cast<std::uint64_t>(arguments.integer_or("max_rows", INT64_MAX));
    if (own < ceilings.rows) ceilings = {own, limits.bytes, "the step (max_rows)"};
    return ceilings;
  }

  static StepResult<Output> finish(const Arguments& arguments, SpooledRows& rows, BodyWriter& spool) {
    SP_TRY(auto body, spool.commit({}));
    auto output = rows_output(stored_rows_handle(std::move(body)), arguments.integer_or("batch", kDefaultBatch));
    output.insert_or_assign(Value("count"), Value(rows.count()));
    output.insert_or_assign(Value("columns"), rows.columns());
    output.insert_or_assign(Value("list"), rows.list());
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
