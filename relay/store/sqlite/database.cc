#include "relay/store/sqlite/database.h"

#include <sqlite3.h>

#include <utility>

namespace sallyport::store::sqlite {
namespace {

Errc constraint_code(int extended_code) {
  switch (extended_code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID: return Errc::conflict;
    case SQLITE_CONSTRAINT_FOREIGNKEY: return Errc::not_found;
    default: return Errc::internal;
  }
}

int is_past(void* deadline) { return std::chrono::steady_clock::now() >= *static_cast<SteadyTime*>(deadline); }

int remember_wal_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

Error to_error(int extended_code, std::string_view what) {
  const std::string text(what);
  switch (extended_code & 0xff) {
    case SQLITE_CONSTRAINT: return {constraint_code(extended_code), "the database refused the row: " + text};
    case SQLITE_FULL: return {Errc::unavailable, "the relay's database cannot grow: free disk space (" + text + ")"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {Errc::unavailable, "the relay's database is in use by another process: " + text};
    case SQLITE_IOERR:
      return {Errc::unavailable, "the relay's database cannot be read or written: check disk and space (" + text + ")"};
    case SQLITE_INTERRUPT: return {Errc::timed_out, "the relay's database took too long to find this: ask for less"};
    case SQLITE_TOOBIG: return {Errc::too_large, "a value is too large for the relay's database"};
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return {Errc::internal, "the relay's database is damaged: restore a backup (" + text + ")"};
    default: return {Errc::internal, "the relay's database failed: " + text};
  }
}

std::int64_t Row::integer() { return sqlite3_column_int64(statement_, column_++); }

std::string Row::text() {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_++));
  return data ? std::string(data, size) : std::string();
}

Bytes Row::bytes() {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column_));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column_++));
  return data ? Bytes(data, data + size) : Bytes();
}

std::optional<std::int64_t> Row::maybe_integer() {
  if (is_null()) return skip(), std::nullopt;
  return integer();
}

std::optional<std::uint32_t> Row::maybe_u32() {
  if (is_null()) return skip(), std::nullopt;
  return u32();
}

std::optional<WallTime> Row::maybe_time() {
  if (is_null()) return skip(), std::nullopt;
  return time();
}

std::optional<Bytes> Row::maybe_bytes() {
  if (is_null()) return skip(), std::nullopt;
  return bytes();
}

bool Row::is_null() const { return sqlite3_column_type(statement_, column_) == SQLITE_NULL; }

Statement::Statement(sqlite3* handle, sqlite3_stmt* statement, std::optional<Error> fault)
    : handle_(handle), statement_(statement), fault_(std::move(fault)) {}

Statement::Statement(Statement&& other) noexcept
    : handle_(other.handle_),
      statement_(std::exchange(other.statement_, nullptr)),
      fault_(std::move(other.fault_)),
      bound_(other.bound_) {}

Statement::~Statement() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<bool> Statement::next() {
  if (fault_) return std::unexpected(*fault_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(to_error(sqlite3_extended_errcode(handle_), sqlite3_errmsg(handle_)));
}

void Statement::put(int index, std::int64_t value) {
  if (!fault_) keep(sqlite3_bind_int64(statement_, index, value));
}

void Statement::put(int index, std::string_view value) {
  const char* data = value.data() ? value.data() : "";
  if (!fault_) keep(sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::put(int index, const Bytes& value) {
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  if (!fault_) keep(sqlite3_bind_blob64(statement_, index, data, value.size(), SQLITE_TRANSIENT));
}

void Statement::put(int index, std::nullopt_t) {
  if (!fault_) keep(sqlite3_bind_null(statement_, index));
}

void Statement::keep(int code) {
  if (code != SQLITE_OK) fault_ = to_error(code, sqlite3_errstr(code));
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(sqlite3* handle) : handle_(handle) {
  if (handle) sqlite3_wal_hook(handle, remember_wal_pages, wal_pages_.get());
}

Database::~Database() { statements_.clear(); }

Result<Database> Database::open(const std::filesystem::path& file, Access access, const std::string& vfs) {
  sqlite3* handle = nullptr;
  const int mode = access == Access::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int code = sqlite3_open_v2(file.c_str(), &handle, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   vfs.empty() ? nullptr : vfs.c_str());
  Database database(handle);
  if (code != SQLITE_OK) return in_context(file.string(), to_error(code, sqlite3_errstr(code)));
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return database;
}

Result<void> Database::script(const std::string& sql) {
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  return std::unexpected(to_error(code, sqlite3_errmsg(handle_.get())));
}

Result<void> Database::copy_into(Database& copy) {
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle_.get(), "main", handle_.get(), "main");
  if (backup != nullptr) {
    sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) == SQLITE_OK) return {};
  }
  sqlite3* of = copy.handle_.get();
  return std::unexpected(to_error(sqlite3_extended_errcode(of), sqlite3_errmsg(of)));
}

void Database::give_up_at(SteadyTime deadline) {
  constexpr int kStepsBetweenLooks = 10'000;
  if (!deadline_) {
    deadline_ = std::make_unique<SteadyTime>();
    sqlite3_progress_handler(handle_.get(), kStepsBetweenLooks, is_past, deadline_.get());
  }
  *deadline_ = deadline;
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

Statement Database::cached(std::string_view sql) {
  auto& slot = statements_[std::string(sql)];
  if (!slot) {
    sqlite3_stmt* made = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (code != SQLITE_OK) return Statement(handle_.get(), nullptr, to_error(code, sqlite3_errmsg(handle_.get())));
    slot.reset(made);
  }
  return Statement(handle_.get(), slot.get(), std::nullopt);
}

Result<std::int64_t> Database::finish(Statement& statement) {
  while (true) {
    SP_TRY(bool more, statement.next());
    if (!more) return sqlite3_changes64(handle_.get());
  }
}

}  // namespace sallyport::store::sqlite
