#pragma once

#include "relay/store/page.h"
#include "relay/store/sqlite/database.h"

#include <fmt/format.h>

namespace sallyport::store::sqlite {

// Newest-first pages go downwards from their cursor; this sorts after every id.
inline std::string or_end(const std::string& after) { return after.empty() ? "\x7f" : after; }

// Where a page of newest-first rows ended: "<time in ms>/<id>".
struct TimeCursor {
  std::int64_t at = INT64_MAX;
  std::string id;
  auto operator<=>(const TimeCursor&) const = default;
};
std::string time_cursor(WallTime at, std::string_view id);
std::unexpected<Error> foreign_cursor();
Result<TimeCursor> read_time_cursor(const std::string& text);  // "" is before the first page

// Runs a query that was asked for one row more than the page holds; the surplus row says that there is a next page.
template <class Read, class CursorOf>
auto page_of(Statement statement, std::size_t limit, Read read, CursorOf cursor_of)
    -> Result<Page<decltype(read(std::declval<Row>()))>> {
  SP_TRY(auto rows, statement.all(read));
  Page<decltype(read(std::declval<Row>()))> page;
  if (rows.size() > limit) {
    rows.resize(limit);
    page.next = cursor_of(rows.back());
  }
  page.items = std::move(rows);
  return page;
}

inline std::uint64_t one_more(std::size_t limit) { return limit + 1; }

// An update or delete that must have met a row.
inline Result<void> expect_row(const Result<std::int64_t>& changed, std::string_view what) {
  if (!changed) return std::unexpected(changed.error());
  if (*changed == 0) return fail(Errc::not_found, fmt::format("no such {}", what));
  return {};
}

// Says what a clash of unique keys, or a missing parent row, means to the caller.
inline Result<void> explain(const Result<std::int64_t>& changed, std::string_view conflict, std::string_view missing) {
  if (changed) return {};
  if (changed.error().code == Errc::conflict) return fail(Errc::conflict, std::string(conflict));
  if (changed.error().code == Errc::not_found) return fail(Errc::not_found, std::string(missing));
  return std::unexpected(changed.error());
}

}  // namespace sallyport::store::sqlite
