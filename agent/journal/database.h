#pragma once

#include "shared/base/result.h"
#include "shared/base/text.h"

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace sallyport::journal {

// The current row of a query; text and blobs are valid until the next row.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  std::int64_t integer(int column) const;
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const;
  bool is_null(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// One SQLite connection with its compiled statements; SQL texts are literals and serve as the cache's key.
// Errors are translated here: full disk exhausted, IO unavailable, constraint and lock conflict, damage invalid.
class Database {
 public:
  static Result<Database> open(const std::filesystem::path& file, const std::string& vfs);

  Result<void> script(const char* sql);  // several statements, no values, no rows
  template <class... Args>
  Result<void> run(const char* sql, const Args&... args) {
    return each(sql, [](const Row&) {}, args...);
  }
  // Calls `on_row` for each row.
  template <class OnRow, class... Args>
  Result<void> each(const char* sql, OnRow on_row, const Args&... args) {
    SP_TRY(Cursor cursor, prepare(sql));
    int index = 0;
    (bind(cursor, ++index, args), ...);
    for (;;) {
      SP_TRY(const bool more, step(cursor));
      if (!more) return {};
      on_row(Row(cursor.statement));
    }
  }
  std::int64_t changed_rows() const;
  bool in_transaction() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Reset {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Cursor {
    sqlite3_stmt* statement;
    std::unique_ptr<sqlite3_stmt, Reset> reset;
  };

  explicit Database(sqlite3* db) : db_(db) {}
  Result<Cursor> prepare(const char* sql);
  Result<bool> step(Cursor& cursor);
  std::unexpected<Error> error(int code) const;

  static void bind(Cursor& cursor, int index, std::string_view text);
  static void bind(Cursor& cursor, int index, std::span<const std::byte> blob);
  static void bind(Cursor& cursor, int index, const Bytes& blob) { bind(cursor, index, std::span(blob)); }
  static void bind_integer(Cursor& cursor, int index, std::int64_t number);
  static void bind_null(Cursor& cursor, int index);
  template <std::integral T>
  static void bind(Cursor& cursor, int index, T number) {
    bind_integer(cursor, index, static_cast<std::int64_t>(number));
  }
  template <class T>
  static void bind(Cursor& cursor, int index, const std::optional<T>& value) {
    if (value) {
      bind(cursor, index, *value);
    } else {
      bind_null(cursor, index);
    }
  }

  std::unique_ptr<sqlite3, Close> db_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;  // gone before the connection
};

}  // namespace sallyport::journal
