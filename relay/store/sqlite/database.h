#pragma once

#include "shared/base/clock.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/base/text.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace sallyport::store::sqlite {

// The columns of the current row, read from left to right. Valid until its statement moves on.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}

  std::int64_t integer();
  std::uint32_t u32() { return static_cast<std::uint32_t>(integer()); }
  std::uint64_t u64() { return static_cast<std::uint64_t>(integer()); }
  WallTime time() { return from_unix_ms(integer()); }
  std::string text();
  Bytes bytes();
  template <class T>
  T id() {
    return T(text());
  }
  std::optional<std::int64_t> maybe_integer();
  std::optional<std::uint32_t> maybe_u32();
  std::optional<WallTime> maybe_time();
  std::optional<Bytes> maybe_bytes();
  template <class T>
  std::optional<T> maybe_id() {
    if (is_null()) return skip(), std::nullopt;
    return T(text());
  }

 private:
  bool is_null() const;
  void skip() { ++column_; }

  sqlite3_stmt* statement_;
  int column_ = 0;
};

// One bound statement, borrowed from its Database's cache and given back when it dies.
// An error of preparing or binding is kept and comes out of the first call that runs it.
class Statement {
 public:
  Statement(sqlite3* handle, sqlite3_stmt* statement, std::optional<Error> fault);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) = delete;
  ~Statement();

  template <class T>
  void bind(const T& value) {
    put(++bound_, value);
  }

  Result<bool> next();  // true: there is a row
  Row row() const { return Row(statement_); }

  // The first row; nothing when there is none.
  template <class Read>
  auto maybe(Read read) -> Result<std::optional<decltype(read(std::declval<Row>()))>> {
    SP_TRY(bool found, next());
    if (!found) return std::nullopt;
    return read(row());
  }
  // The first row; Errc::not_found ("no such agent") when there is none.
  template <class Read>
  auto one(std::string_view what, Read read) -> Result<decltype(read(std::declval<Row>()))> {
    SP_TRY(bool found, next());
    if (!found) return fail(Errc::not_found, "no such " + std::string(what));
    return read(row());
  }
  template <class Read>
  auto all(Read read) -> Result<std::vector<decltype(read(std::declval<Row>()))>> {
    std::vector<decltype(read(std::declval<Row>()))> rows;
    while (true) {
      SP_TRY(bool found, next());
      if (!found) return rows;
      rows.push_back(read(row()));
    }
  }

 private:
  void put(int index, std::int64_t value);
  void put(int index, std::uint64_t value) { put(index, static_cast<std::int64_t>(value)); }
  void put(int index, std::uint32_t value) { put(index, static_cast<std::int64_t>(value)); }
  void put(int index, std::int32_t value) { put(index, static_cast<std::int64_t>(value)); }
  void put(int index, WallTime value) { put(index, unix_ms(value)); }
  void put(int index, std::string_view value);
  void put(int index, const std::string& value) { put(index, std::string_view(value)); }
  void put(int index, const char* value) { put(index, std::string_view(value)); }
  void put(int index, const Bytes& value);
  void put(int index, std::nullopt_t);
  template <class Tag>
  void put(int index, const Id<Tag>& value) {
    put(index, std::string_view(value.value));
  }
  template <class T>
  void put(int index, const std::optional<T>& value) {
    value ? put(index, *value) : put(index, std::nullopt);
  }
  void keep(int code);

  sqlite3* handle_;
  sqlite3_stmt* statement_;
  std::optional<Error> fault_;
  int bound_ = 0;
};

enum class Access { read_write, read_only };

// One connection to one SQLite file. Used by one thread at a time; a Statement must not outlive it.
class Database {
 public:
  static Result<Database> open(const std::filesystem::path& file, Access access, const std::string& vfs = {});
  Database(Database&& other) noexcept = default;
  Database& operator=(Database&& other) noexcept = default;
  ~Database();

  // Prepares `sql` (once per text) and binds `values` to its parameters in order. The same text must not be in use
  // twice.
  template <class... Values>
  Statement prepare(std::string_view sql, const Values&... values) {
    Statement statement = cached(sql);
    (statement.bind(values), ...);
    return statement;
  }
  // Runs a statement to its end; the number of rows it changed.
  template <class... Values>
  Result<std::int64_t> run(std::string_view sql, const Values&... values) {
    Statement statement = prepare(sql, values...);
    return finish(statement);
  }
  // For ends of transactions whose success nobody can use: in_transaction() tells what came of it.
  void run_quietly(std::string_view sql) { [[maybe_unused]] auto ignored = run(sql); }
  Result<void> script(const std::string& sql);  // several statements, no parameters

  // Every page of it as of now, in place of what `copy` holds.
  Result<void> copy_into(Database& copy);

  // Statements that still run then fail with Errc::timed_out. Holds until the next call.
  void give_up_at(SteadyTime deadline);
  bool in_transaction() const;
  int wal_pages() const { return *wal_pages_; }  // length of the write-ahead log after the last commit

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Database(sqlite3* handle);
  Statement cached(std::string_view sql);
  Result<std::int64_t> finish(Statement& statement);

  std::unique_ptr<int> wal_pages_ = std::make_unique<int>(0);  // on the heap: SQLite keeps its address
  std::unique_ptr<SteadyTime> deadline_;                       // the same
  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// What a SQLite result code means to callers. `what` is SQLite's text: it names tables and columns, never values.
Error to_error(int extended_code, std::string_view what);

}  // namespace sallyport::store::sqlite
