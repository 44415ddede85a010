#include "agent/journal/database.h"

#include <sqlite3.h>

namespace sallyport::journal {
namespace {

Errc errc_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL: return Errc::exhausted;
    case SQLITE_CONSTRAINT:
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Errc::conflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Errc::invalid;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return Errc::forbidden;
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT: return Errc::unavailable;
    default: return Errc::internal;
  }
}

std::string_view advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL: return "; the disk is full: free some space, the agent goes on by itself";
    case SQLITE_BUSY: return "; another process uses it: stop the other agent";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return "; the file is damaged: keep a copy for analysis, then move it away and start again";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY: return "; check the permissions of the state directory";
    default: return "";
  }
}

}  // namespace

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Row::text(int column) const { return std::string(as_text(blob(column))); }

std::span<const std::byte> Row::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Row::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Reset::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

Result<Database> Database::open(const std::filesystem::path& file, const std::string& vfs) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.string().c_str(), &raw, flags, vfs.empty() ? nullptr : vfs.c_str());
  Database database(raw);
  if (code != SQLITE_OK) return database.error(code);
  return database;
}

std::unexpected<Error> Database::error(int code) const {
  std::string text = db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code);
  return fail(errc_of(code), "the journal's database: " + text + std::string(advice(code)));
}

Result<void> Database::script(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<Database::Cursor> Database::prepare(const char* sql) {
  auto& cached = statements_[sql];
  if (!cached) {
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (code != SQLITE_OK) return error(code);
    cached.reset(made);
  }
  return Cursor{cached.get(), std::unique_ptr<sqlite3_stmt, Reset>(cached.get())};
}

Result<bool> Database::step(Cursor& cursor) {
  const int code = sqlite3_step(cursor.statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error(code);
}

std::int64_t Database::changed_rows() const { return sqlite3_changes64(db_.get()); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }

void Database::bind(Cursor& cursor, int index, std::string_view text) {
  sqlite3_bind_text64(cursor.statement, index, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
}
void Database::bind(Cursor& cursor, int index, std::span<const std::byte> blob) {
  sqlite3_bind_blob64(cursor.statement, index, blob.data(), blob.size(), SQLITE_TRANSIENT);
}
void Database::bind_integer(Cursor& cursor, int index, std::int64_t number) {
  sqlite3_bind_int64(cursor.statement, index, number);
}
void Database::bind_null(Cursor& cursor, int index) { sqlite3_bind_null(cursor.statement, index); }

}  // namespace sallyport::journal
