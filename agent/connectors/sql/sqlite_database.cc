#include "agent/connectors/sql/database.h"
#include "agent/connectors/sql/sqlite_error.h"
#include "shared/base/json.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <thread>
#include <utility>

namespace sallyport::connectors::sql {
namespace {

using policy::SqlVerb;
using policy::SqlVerbs;

constexpr int kStepsBetweenChecks = 1000;
constexpr int kMaxLength = 64 << 20;  // of a value or a row in SQLite's own memory
constexpr auto kBusyPause = std::chrono::milliseconds(5);

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementOwner = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

bool has_ended(const CallLimits& limits) {
  return limits.stop.stop_requested() || std::chrono::steady_clock::now() >= limits.deadline;
}

SqlVerbs needed_for(int action) {
  const auto set = [](SqlVerb verb) { return static_cast<SqlVerbs>(verb); };
  switch (action) {
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE: return 0;
    case SQLITE_SELECT: return set(SqlVerb::select);
    case SQLITE_INSERT: return set(SqlVerb::insert);
    case SQLITE_UPDATE: return set(SqlVerb::update);
    case SQLITE_DELETE: return set(SqlVerb::remove);
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: return ~SqlVerbs{0};
    default: return set(SqlVerb::ddl);
  }
}

// ddl covers everything but what leaves the file. Inside a trigger (`within`) the schema's author decided.
bool is_allowed(SqlVerbs allowed, int action, const char* object, const char* within) {
  const auto needed = needed_for(action);
  if (needed == ~SqlVerbs{0}) return false;
  if (within != nullptr || policy::has(allowed, SqlVerb::ddl)) return true;
  const bool changes = action == SQLITE_INSERT || action == SQLITE_UPDATE || action == SQLITE_DELETE;
  if (changes && object != nullptr && std::string_view(object).starts_with("sqlite_")) return false;
  return (needed & ~allowed) == 0;
}

// What stays in the session after the transaction, and hides tables of the file from whoever comes next.
bool makes_temporary(int action) {
  return action == SQLITE_CREATE_TEMP_TABLE || action == SQLITE_CREATE_TEMP_VIEW ||
         action == SQLITE_CREATE_TEMP_TRIGGER || action == SQLITE_CREATE_TEMP_INDEX;
}

// What SQLite would change without a word.
StepResult<void> check_storable(std::string_view name, const Value& value) {
  if (value.is(Value::Kind::float64) && std::isnan(value.as_double()))
    return step_fail("invalid", fmt::format("the parameter :{} is NaN, which SQLite would store as null", name));
  if (value.is(Value::Kind::uint64) && value.as_uint() > static_cast<std::uint64_t>(INT64_MAX))
    return step_fail("invalid", fmt::format("the parameter :{} is larger than SQLite's integers; give it as text "
                                            "(string())",
                                            name));
  return {};
}

class Sqlite final : public Connection {
 public:
  Sqlite(std::unique_ptr<sqlite3, CloseDatabase> db, SqlVerbs verbs) : db_(std::move(db)), verbs_(verbs) {
    sqlite3_progress_handler(db_.get(), kStepsBetweenChecks, on_progress, this);
    sqlite3_busy_handler(db_.get(), on_busy, this);
    sqlite3_set_authorizer(db_.get(), on_authorize, this);
    sqlite3_limit(db_.get(), SQLITE_LIMIT_LENGTH, kMaxLength);
    for (const auto [option, value] : {std::pair{SQLITE_DBCONFIG_ENABLE_FKEY, 1},
                                       {SQLITE_DBCONFIG_DEFENSIVE, 1},
                                       {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                       {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                                       {SQLITE_DBCONFIG_DQS_DML, 0},
                                       {SQLITE_DBCONFIG_DQS_DDL, 0}}) {
      sqlite3_db_config(db_.get(), option, value, nullptr);
    }
  }

  StepResult<void> begin(Access access, const CallLimits& limits) override {
    access_ = access;
    SP_CHECK(own(access == Access::read_only ? "begin" : "begin immediate", limits));
    if (has_moved()) return step_fail("connection", "another file has taken the place of the database file");
    return {};
  }
  // An input/output error may strike after the commit record has reached the disk. Every other error comes before it,
  // and leaves the transaction open or has rolled it back.
  StepResult<void> commit(const CallLimits& limits) override {
    auto done = own("commit", limits);
    const bool io_error = (sqlite3_errcode(db_.get()) & 0xFF) == SQLITE_IOERR;
    if (!done && io_error && access_ == Access::read_write)
      done.error().classes.insert(done.error().classes.begin(), "in_doubt");
    if (done && access_ == Access::read_write && has_moved()) {
      return std::unexpected(StepError{{"in_doubt", "changed"},
                                       "another file took the place of the database file during the transaction, which "
                                       "may be in the old one only: look at both, then decide",
                                       {}});
    }
    return done;
  }
  void rollback() noexcept override {
    limits_ = nullptr;  // cleaning up is not interrupted
    own_ = true;
    if (sqlite3_get_autocommit(db_.get()) == 0) sqlite3_exec(db_.get(), "rollback", nullptr, nullptr, nullptr);
    own_ = false;
  }

  StepResult<std::int64_t> execute(const Statement& statement, const ValueList& parameters, DroppedRows& dropped,
                                   const CallLimits& limits) override {
    return run(statement, parameters, dropped, limits);
  }
  StepResult<std::int64_t> execute_own(const Statement& statement, const ValueList& parameters,
                                       const CallLimits& limits) override {
    own_ = true;
    DroppedRows dropped;
    auto changed = run(statement, parameters, dropped, limits);
    own_ = false;
    return changed;
  }
  StepResult<void> query(const Statement& statement, const ValueList& parameters, RowSink& sink,
                         const CallLimits& limits) override {
    SP_CHECK(run(statement, parameters, sink, limits));
    return {};
  }
  StepResult<void> query_own(const Statement& statement, const ValueList& parameters, RowSink& sink,
                             const CallLimits& limits) override {
    own_ = true;
    auto done = run(statement, parameters, sink, limits);
    own_ = false;
    if (!done) return std::unexpected(std::move(done).error());
    return {};
  }
  bool is_usable() override { return sqlite3_get_autocommit(db_.get()) != 0 && !has_temporary_ && !has_moved(); }

 private:
  // A file that was restored or deployed anew: what is open is one that nobody can find any more.
  bool has_moved() const {
    int moved = 0;
    return sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
  }

  static int on_progress(void* self) {
    const auto* limits = static_cast<Sqlite*>(self)->limits_;
    return limits != nullptr && has_ended(*limits) ? 1 : 0;
  }
  static int on_busy(void* self, int) {
    const auto* limits = static_cast<Sqlite*>(self)->limits_;
    if (limits == nullptr || has_ended(*limits)) return 0;
    std::this_thread::sleep_for(kBusyPause);
    return 1;
  }

  static int on_authorize(void* self, int action, const char* first, const char* second, const char* /*database*/,
                          const char* within) {
    auto& connection = *static_cast<Sqlite*>(self);
    if (connection.own_) return SQLITE_OK;
    connection.has_temporary_ = connection.has_temporary_ || makes_temporary(action);
    const bool loads_code =
        action == SQLITE_FUNCTION && second != nullptr && std::string_view(second) == "load_extension";
    return !loads_code && is_allowed(connection.verbs_, action, first, within) ? SQLITE_OK : SQLITE_DENY;
  }

  StepResult<void> own(const char* text, const CallLimits& limits) {
    SP_CHECK(execute_own(Statement{text, {}}, {}, limits));
    return {};
  }

  template <class Rows>
  StepResult<std::int64_t> run(const Statement& statement, const ValueList& parameters, Rows& rows,
                               const CallLimits& limits) {
    limits_ = &limits;
    auto changed = run_limited(statement, parameters, rows, limits);
    limits_ = nullptr;
    if (cached_.statement) {
      sqlite3_reset(cached_.statement.get());
      sqlite3_clear_bindings(cached_.statement.get());
    }
    return changed;
  }

  template <class Rows>
  StepResult<std::int64_t> run_limited(const Statement& statement, const ValueList& parameters, Rows& rows,
                                       const CallLimits& limits) {
    if (has_ended(limits)) return std::unexpected(sqlite_error(db_.get(), SQLITE_INTERRUPT, Phase::run, limits));
    SP_TRY(auto* prepared, prepare(statement.text, limits));
    if (access_ == Access::read_only && !own_ && sqlite3_stmt_readonly(prepared) == 0) {
      return step_fail("permission", "the statement changes data in a transaction that is read only");
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!own_) SP_CHECK(check_storable(statement.parameters[i], parameters[i]));
      SP_CHECK(bind(prepared, static_cast<int>(i + 1), parameters[i], limits));
    }
    const auto before = sqlite3_total_changes64(db_.get());
    SP_CHECK(take_rows(prepared, rows, limits));
    return sqlite3_total_changes64(db_.get()) == before ? 0 : sqlite3_changes64(db_.get());
  }

  StepResult<void> take_rows(sqlite3_stmt* prepared, RowSink& sink, const CallLimits& limits) {
    SP_CHECK(sink.begin(column_names(prepared)));
    std::uint64_t count = 0;
    return each_row(prepared, limits, [&]() -> StepResult<void> {
      SP_CHECK(check_row(++count, row_bytes(prepared)));
      SP_TRY(auto row, read_row(prepared));
      return sink.row(std::move(row));
    });
  }

  StepResult<void> take_rows(sqlite3_stmt* prepared, DroppedRows& dropped, const CallLimits& limits) {
    return each_row(prepared, limits, [&] { return dropped.drop(row_bytes(prepared)); });
  }

  template <class Take>
  StepResult<void> each_row(sqlite3_stmt* prepared, const CallLimits& limits, Take take) {
    for (;;) {
      const int code = sqlite3_step(prepared);
      if (code == SQLITE_DONE) return {};
      if (code != SQLITE_ROW) return std::unexpected(sqlite_error(db_.get(), code, Phase::run, limits));
      SP_CHECK(take());
    }
  }

  // The last statement stays prepared: a batch runs the same one for each of its rows.
  StepResult<sqlite3_stmt*> prepare(const std::string& text, const CallLimits& limits) {
    if (cached_.statement && cached_.own == own_ && cached_.text == text) return cached_.statement.get();
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), text.data(), static_cast<int>(text.size()), 0, &raw, nullptr);
    StatementOwner prepared(raw);
    if (code != SQLITE_OK) return std::unexpected(sqlite_error(db_.get(), code, Phase::prepare, limits));
    if (!prepared) return step_fail("invalid", "the statement is empty");
    cached_ = {text, own_, std::move(prepared)};
    return cached_.statement.get();
  }

  StepResult<void> bind(sqlite3_stmt* statement, int at, const Value& value, const CallLimits& limits) {
    const auto text = [&](const std::string& bytes) {
      return sqlite3_bind_text64(statement, at, bytes.data(), bytes.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    };
    int code = SQLITE_OK;
    switch (value.kind()) {
      case Value::Kind::null: code = sqlite3_bind_null(statement, at); break;
      case Value::Kind::boolean: code = sqlite3_bind_int(statement, at, value.as_bool() ? 1 : 0); break;
      case Value::Kind::int64: code = sqlite3_bind_int64(statement, at, value.as_int()); break;
      case Value::Kind::float64: code = sqlite3_bind_double(statement, at, value.as_double()); break;
      case Value::Kind::string: code = text(value.as_string()); break;
      case Value::Kind::bytes: code = bind_bytes(statement, at, value.as_bytes()); break;
      case Value::Kind::uint64:
        code = sqlite3_bind_int64(statement, at, static_cast<sqlite3_int64>(value.as_uint()));
        break;
      case Value::Kind::timestamp:
      case Value::Kind::duration: {
        const auto quoted = to_json(value);
        code = text(quoted.substr(1, quoted.size() - 2));
        break;
      }
      default: code = text(to_json(value)); break;
    }
    if (code != SQLITE_OK) return std::unexpected(sqlite_error(db_.get(), code, Phase::run, limits));
    return {};
  }

  // Without an address SQLite would take bytes of no length for null.
  static int bind_bytes(sqlite3_stmt* statement, int at, const Bytes& bytes) {
    if (bytes.empty()) return sqlite3_bind_zeroblob(statement, at, 0);
    return sqlite3_bind_blob64(statement, at, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  }

  static std::vector<std::string> column_names(sqlite3_stmt* statement) {
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(sqlite3_column_count(statement)));
    for (int i = 0; i < sqlite3_column_count(statement); ++i) names.emplace_back(sqlite3_column_name(statement, i));
    return names;
  }

  // Numbers take no part: asking for their bytes would turn them into text.
  static std::uint64_t row_bytes(sqlite3_stmt* statement) {
    std::uint64_t bytes = 0;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const int type = sqlite3_column_type(statement, i);
      const bool has_bytes = type == SQLITE_TEXT || type == SQLITE_BLOB;
      bytes += has_bytes ? static_cast<std::uint64_t>(sqlite3_column_bytes(statement, i)) : sizeof(std::int64_t);
    }
    return bytes;
  }

  static StepResult<ValueList> read_row(sqlite3_stmt* statement) {
    ValueList row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER: row.emplace_back(static_cast<std::int64_t>(sqlite3_column_int64(statement, i))); break;
        case SQLITE_FLOAT: row.emplace_back(sqlite3_column_double(statement, i)); break;
        case SQLITE_NULL: row.emplace_back(); break;
        case SQLITE_BLOB: {
          const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement, i));
          const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
          row.emplace_back(Bytes(bytes, bytes + size));
          break;
        }
        default: {
          const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
          std::string value(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
          if (!is_valid_utf8(value))
            return step_fail("format", fmt::format("the column \"{}\" holds text that is not UTF-8",
                                                   sqlite3_column_name(statement, i)));
          row.emplace_back(std::move(value));
        }
      }
    }
    return row;
  }

  struct Cached {
    std::string text;
    bool own = false;
    StatementOwner statement;
  };

  std::unique_ptr<sqlite3, CloseDatabase> db_;
  SqlVerbs verbs_;
  Cached cached_;                       // dies before db_
  const CallLimits* limits_ = nullptr;  // of the call under way
  Access access_ = Access::read_only;
  bool own_ = false;
  bool has_temporary_ = false;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(policy::SqliteConnection settings, SqlVerbs verbs) : settings_(std::move(settings)), verbs_(verbs) {}
  policy::SqlDialect dialect() const override { return policy::SqlDialect::sqlite; }

  StepResult<std::unique_ptr<Connection>> connect(const CallLimits&) override {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(settings_.file.c_str(), &raw,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    std::unique_ptr<sqlite3, CloseDatabase> db(raw);
    if (code != SQLITE_OK) {
      const bool there = std::filesystem::exists(settings_.file);
      return step_fail("connection", fmt::format("opening the database file {}: {}", settings_.file,
                                                 there ? sqlite3_errstr(code) : "there is no such file"));
    }
    return std::make_unique<Sqlite>(std::move(db), verbs_);
  }

 private:
  policy::SqliteConnection settings_;
  SqlVerbs verbs_;
};

}  // namespace

std::unique_ptr<Database> make_sqlite(policy::SqliteConnection settings, policy::SqlVerbs verbs) {
  return std::make_unique<SqliteDatabase>(std::move(settings), verbs);
}

}  // namespace sallyport::connectors::sql
