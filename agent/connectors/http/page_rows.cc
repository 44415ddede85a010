#include "agent/connectors/http/page_rows.h"

#include "agent/connectors/row_limit.h"
#include "agent/connectors/stored_rows.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::http {

StepResult<void> PageRows::begin() {
  if (begun_) return {};
  begun_ = true;
  SP_TRY(const auto head, stored_columns(columns_));
  return spool_.write(as_bytes(head));
}

StepResult<void> PageRows::append(std::string& piece, const Value& item) const {
  if (!item.is(Value::Kind::map)) {
    if (columns_.size() != 1) return step_fail("format", fmt::format("item {} of the pages is no object", count_));
    append_stored_row(piece, {item});
    return {};
  }
  ValueList values;
  std::size_t found = 0;
  for (const auto& column : columns_) {
    const auto* value = item.find(column);
    found += value == nullptr ? 0 : 1;
    values.push_back(value == nullptr ? Value() : *value);
  }
  if (!named_ && found < item.as_map().size())
    return step_fail(
        "format",
        fmt::format("item {} of the pages has a member that the first has not: name the \"columns\"", count_));
  append_stored_row(piece, values);
  return {};
}

StepResult<void> PageRows::add(const ValueList& items) {
  std::string piece;
  for (const auto& item : items) {
    if (columns_.empty() && item.is(Value::Kind::map)) {
      for (const auto& [name, value] : item.as_map()) columns_.push_back(name.as_string());
    }
    if (columns_.empty()) columns_.emplace_back("value");
    if (++count_ > limits_.rows)
      return step_fail("too_large",
                       fmt::format("more than {} rows, the limit of the local policy (limits.rows)", limits_.rows));
    const auto before = piece.size();
    SP_CHECK(append(piece, item));
    if (piece.size() - before > kMaxRow)
      return step_fail("too_large", fmt::format("item {} of the pages is larger than {} bytes", count_, kMaxRow));
  }
  bytes_ += piece.size();
  if (bytes_ > limits_.bytes)
    return step_fail("too_large",
                     fmt::format("more than {} bytes, the limit of the local policy (limits.bytes)", limits_.bytes));
  if (items.empty()) return {};
  SP_CHECK(begin());
  return spool_.write(as_bytes(piece));
}

StepResult<Handle> PageRows::commit() {
  SP_CHECK(begin());
  SP_TRY(auto body, spool_.commit({}));
  return stored_rows_handle(std::move(body));
}

}  // namespace sallyport::connectors::http
