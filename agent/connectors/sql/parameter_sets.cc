#include "agent/connectors/sql/parameter_sets.h"

#include "shared/base/json.h"

#include <fmt/format.h>

#include <utility>

namespace sallyport::connectors::sql {
namespace {

constexpr std::size_t kMostSets = 4'000;
constexpr std::size_t kEnoughBytes = 512u << 10;

std::size_t bytes_of(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::string: return value.as_string().size();
    case Value::Kind::bytes: return value.as_bytes().size();
    case Value::Kind::list:
    case Value::Kind::map: return to_json(value).size();
    default: return sizeof(std::int64_t);
  }
}

std::size_t bytes_of(const ValueList& values) {
  std::size_t bytes = 0;
  for (const auto& value : values) bytes += bytes_of(value);
  return bytes;
}

StepError at_row(std::uint64_t number, StepError error) {
  error.message = fmt::format("row {}: {}", number, error.message);
  return error;
}

}  // namespace

StepResult<bool> ParameterSets::has_more() {
  if (ahead_) return true;
  SP_TRY(ahead_, rows_->next());
  if (ahead_ && taken_ == most_rows_)
    return step_fail("too_large",
                     fmt::format("more than {} rows, the limit of the local policy (limits.rows)", most_rows_));
  return ahead_.has_value();
}

StepResult<std::optional<Value>> ParameterSets::take() {
  if (left_ == 0) return std::nullopt;
  SP_TRY(const auto more, has_more());
  if (!more) return std::nullopt;
  --left_;
  ++taken_;
  return std::exchange(ahead_, std::nullopt);
}

StepResult<std::span<const ValueList>> ParameterSets::next_some() {
  some_.clear();
  for (std::size_t bytes = 0; some_.size() < kMostSets && bytes < kEnoughBytes; bytes += bytes_of(some_.back())) {
    SP_TRY(const auto row, take());
    if (!row) break;
    auto set = pick_parameters(statement_, *row);
    if (!set) return std::unexpected(at_row(taken_, std::move(set).error()));
    some_.push_back(*std::move(set));
  }
  return std::span<const ValueList>(some_);
}

StepResult<void> ParameterSets::skip_part() {
  for (;;) {
    SP_TRY(const auto row, take());
    if (!row) return {};
  }
}

}  // namespace sallyport::connectors::sql
