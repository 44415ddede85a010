#include "agent/connectors/spooled_rows.h"

#include "agent/connectors/row_limit.h"
#include "agent/connectors/stored_rows.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::connectors {
namespace {

constexpr std::size_t kPiece = 64u << 10;
constexpr std::size_t kInlineRows = 100;
constexpr std::size_t kInlineBytes = 64u << 10;
constexpr std::size_t kInlineWithNames = 128u << 10;  // half of what a step may give

}  // namespace

RowLimits row_limits(const Site& site, const StepContext& context, const Arguments& arguments) {
  const auto limits = site.policy.limits(context.connection);
  const auto own = static_cast<std::uint64_t>(arguments.integer_or("max_rows", INT64_MAX));
  if (own < limits.rows) return {own, limits.bytes, "the step (max_rows)"};
  return {limits.rows, limits.bytes, "the local policy (limits.rows)"};
}

StepResult<SpooledRows> SpooledRows::open(Bodies& bodies, RowLimits limits) {
  SP_TRY(auto spool, bodies.new_spool("application/octet-stream"));
  return SpooledRows(std::move(spool), std::move(limits));
}

StepResult<void> SpooledRows::begin(const std::vector<std::string>& columns) {
  SP_TRY(piece_, stored_columns(columns));
  keys_.assign(columns.begin(), columns.end());
  names_json_ = stored_json(Value(keys_)).size();
  return {};
}

StepResult<void> SpooledRows::row(ValueList values) {
  if (count_ == limits_.rows)
    return step_fail("too_large", fmt::format("more than {} rows, the limit of {}", limits_.rows, limits_.rows_limit));
  const auto before = piece_.size();
  append_stored_row(piece_, values);
  const auto size = piece_.size() - before;
  ++count_;
  SP_CHECK(check_row(count_, size));
  bytes_ += size;
  if (bytes_ > limits_.bytes)
    return step_fail("too_large",
                     fmt::format("more than {} bytes, the limit of the local policy (limits.bytes)", limits_.bytes));
  keep(std::move(values));
  return piece_.size() < kPiece ? StepResult<void>() : flush();
}

StepResult<ValueMap> SpooledRows::finish(const Arguments& arguments) {
  SP_CHECK(flush());
  SP_TRY(auto body, spool_->commit({}));
  auto output = rows_output(stored_rows_handle(std::move(body)), arguments.integer_or("batch", kDefaultBatch));
  output.insert_or_assign(Value("count"), Value(static_cast<std::int64_t>(count_)));
  output.insert_or_assign(Value("columns"), Value(keys_));
  output.insert_or_assign(Value("list"), is_small() ? Value(std::exchange(small_, {})) : Value());
  return output;
}

StepResult<void> SpooledRows::flush() {
  SP_CHECK(spool_->write(as_bytes(piece_)));
  piece_.clear();
  return {};
}

void SpooledRows::keep(ValueList values) {
  if (!is_small()) return small_.clear();
  Value row(std::move(values));
  small_json_ += stored_json(row).size();
  if (!is_small()) return small_.clear();
  ValueMap named;
  for (std::size_t i = 0; i < keys_.size(); ++i) named.emplace(keys_[i], row.as_list()[i]);
  small_.emplace_back(std::move(named));
}

bool SpooledRows::is_small() const {
  return count_ <= kInlineRows && small_json_ <= kInlineBytes && small_json_ + count_ * names_json_ <= kInlineWithNames;
}

}  // namespace sallyport::connectors
