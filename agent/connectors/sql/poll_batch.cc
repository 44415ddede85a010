#include "agent/connectors/sql/poll_batch.h"

#include "shared/base/json.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::sql {

StepResult<void> PollBatch::begin(const std::vector<std::string>& columns) {
  const auto found = std::ranges::find(columns, column_);
  if (found == columns.end())
    return step_fail("invalid", fmt::format("the statement gives no column \"{}\", which is its `cursor`", column_));
  at_ = static_cast<std::size_t>(found - columns.begin());
  names_.assign(columns.begin(), columns.end());
  return {};
}

StepResult<void> PollBatch::row(ValueList values) {
  const Value cursor = values[at_];
  SP_CHECK(check_cursor(cursor));
  ValueMap row;
  for (std::size_t i = 0; i < names_.size(); ++i) row.emplace(names_[i], std::move(values[i]));
  Value map(std::move(row));
  const auto bytes = stored_json(map).size() + 1;
  if (rows_.size() == limits_.rows || bytes_ + bytes > limits_.bytes) {
    beyond_ = cursor;
    return step_fail("too_large", "the event is full");
  }
  bytes_ += bytes;
  rows_.push_back(std::move(map));
  cursors_.push_back(cursor);
  return {};
}

StepResult<std::optional<PollBatch::Polled>> PollBatch::finish() {
  while (beyond_ && !cursors_.empty() && cursors_.back() == *beyond_) {
    cursors_.pop_back();
    rows_.pop_back();
  }
  if (beyond_ && rows_.empty())
    return step_fail("too_large",
                     fmt::format("the next rows, which have one value of \"{}\", do not fit into one event ({} rows, "
                                 "{} KiB): raise `batch`, take a column that differs in every row, or select less of "
                                 "each row and read the rest in a step",
                                 column_, limits_.rows, limits_.bytes >> 10));
  if (rows_.empty()) return std::nullopt;
  return Polled{std::move(rows_), cursors_.back()};
}

StepResult<void> PollBatch::check_cursor(const Value& cursor) const {
  if (!cursor.is(Value::Kind::int64) && !cursor.is(Value::Kind::string))
    return step_fail("invalid", fmt::format("\"{}\" has to be an integer, text, date or time in every row, to go on "
                                            "from it",
                                            column_));
  if (cursor == from_)
    return step_fail("invalid",
                     "the statement gives a row that is not beyond `:cursor`: compare with `>`, and order by it");
  return {};
}

}  // namespace sallyport::connectors::sql
