#include "relay/store/sqlite/rows.h"

#include <charconv>

namespace sallyport::store::sqlite {

std::string time_cursor(WallTime at, std::string_view id) { return fmt::format("{}/{}", unix_ms(at), id); }

std::unexpected<Error> foreign_cursor() {
  return fail(Errc::invalid, "the cursor is not one of this list: begin without it");
}

Result<TimeCursor> read_time_cursor(const std::string& text) {
  TimeCursor cursor;
  if (text.empty()) return cursor;
  const auto slash = std::min(text.find('/'), text.size());
  const auto [end, bad] = std::from_chars(text.data(), text.data() + slash, cursor.at);
  if (bad != std::errc() || slash == text.size() || end != text.data() + slash) {
    return foreign_cursor();
  }
  cursor.id = text.substr(slash + 1);
  return cursor;
}

}  // namespace sallyport::store::sqlite
