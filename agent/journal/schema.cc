#include "agent/journal/journal_impl.h"

#include <tuple>

namespace sallyport::journal {
namespace {

constexpr std::int64_t kSchema = 5;
constexpr std::int64_t kApplicationId = 0x53504a31;  // "SPJ1"

constexpr const char* kTables = R"sql(
PRAGMA application_id = 0x53504a31;
CREATE TABLE jobs(
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  recipe TEXT NOT NULL,
  recipe_version INTEGER NOT NULL,
  run_number INTEGER NOT NULL,
  held_before INTEGER NOT NULL DEFAULT 0,
  trigger_kind TEXT NOT NULL,
  accepted_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  last_seq INTEGER NOT NULL DEFAULT 0,
  recipe_json BLOB,
  trigger_json BLOB,
  event_key BLOB,
  cancel BLOB);
CREATE INDEX unfinished_jobs ON jobs(ordinal) WHERE state = 0;
CREATE INDEX ended_jobs ON jobs(ordinal) WHERE state <> 0;
CREATE TABLE intents(
  job TEXT NOT NULL, path TEXT NOT NULL, item INTEGER NOT NULL, attempt INTEGER NOT NULL,
  epoch INTEGER NOT NULL, idempotency_key TEXT NOT NULL, at_ms INTEGER NOT NULL, wake_ms INTEGER,
  PRIMARY KEY(job, path, item, attempt)) WITHOUT ROWID;
CREATE TABLE done(
  job TEXT NOT NULL, path TEXT NOT NULL, item INTEGER NOT NULL, attempt INTEGER NOT NULL,
  status INTEGER NOT NULL, at_ms INTEGER NOT NULL, retry_ms INTEGER, result BLOB NOT NULL,
  PRIMARY KEY(job, path, item, attempt));
CREATE TABLE progress(
  job TEXT NOT NULL, path TEXT NOT NULL, next_item INTEGER NOT NULL,
  succeeded INTEGER NOT NULL, failed INTEGER NOT NULL, skipped INTEGER NOT NULL,
  PRIMARY KEY(job, path)) WITHOUT ROWID;
CREATE TABLE outbox(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL, job_seq INTEGER NOT NULL, size INTEGER NOT NULL, report BLOB NOT NULL);
CREATE INDEX outbox_jobs ON outbox(job);
CREATE TABLE events(
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  recipe TEXT NOT NULL, fingerprint TEXT NOT NULL, at_ms INTEGER NOT NULL,
  UNIQUE(recipe, fingerprint));
CREATE INDEX events_by_age ON events(recipe, ordinal);
CREATE TABLE cursors(
  recipe TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY(recipe, name)) WITHOUT ROWID;
CREATE TABLE assignments(recipe TEXT PRIMARY KEY, version INTEGER NOT NULL, recipe_json BLOB NOT NULL);
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('agent_seq', 0), ('assignments_revision', 0);
PRAGMA user_version = 1;
)sql";

// Recipes that were assigned once and are not now: what they have seen is kept for a while.
constexpr const char* kSecond = R"sql(
CREATE TABLE departed(recipe TEXT PRIMARY KEY, left_ms INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 2;
)sql";

constexpr const char* kThird = R"sql(
ALTER TABLE intents ADD COLUMN ledger INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 3;
)sql";

constexpr const char* kFourth = R"sql(
ALTER TABLE jobs ADD COLUMN no_payload INTEGER NOT NULL DEFAULT 0;
ALTER TABLE assignments ADD COLUMN no_payload INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 4;
)sql";

constexpr const char* kFifth = R"sql(
ALTER TABLE jobs ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 5;
)sql";

Result<std::int64_t> number(Database& database, const char* sql) {
  std::int64_t value = 0;
  SP_CHECK(database.each(sql, [&](const Row& row) { value = row.integer(0); }));
  return value;
}

Result<void> configure(Database& database) {
  return database.script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
      "BEGIN IMMEDIATE; COMMIT;");
}

Result<void> check_health(Database& database) {
  std::string finding;
  SP_CHECK(database.each("PRAGMA quick_check(1)", [&](const Row& row) { finding = row.text(0); }));
  if (finding == "ok") return {};
  return fail(Errc::invalid,
              "the journal is damaged (" + finding + "): keep a copy for analysis, then move it away and start again");
}

Result<void> bring_up_to_date(Database& database, std::int64_t version) {
  SP_CHECK(database.script("BEGIN IMMEDIATE"));
  Result<void> made;
  if (version < 1) made = database.script(kTables);
  if (made && version < 2) made = database.script(kSecond);
  if (made && version < 3) made = database.script(kThird);
  if (made && version < 4) made = database.script(kFourth);
  if (made && version < 5) made = database.script(kFifth);
  if (made) made = database.script("COMMIT");
  if (!made && database.in_transaction()) std::ignore = database.script("ROLLBACK");
  return made;
}

// Journals of earlier programs get theirs when they are opened.
constexpr const char* kGiveId =
    "INSERT OR IGNORE INTO counters(name, value) VALUES ('journal_id', max(1, random() & 9223372036854775807))";

}  // namespace

Result<void> prepare_schema(Database& database) {
  // Before the first read: it keeps a second agent out, and the file needs no shared memory next to it.
  SP_CHECK(database.script("PRAGMA locking_mode = EXCLUSIVE"));
  SP_TRY(const std::int64_t version, number(database, "PRAGMA user_version"));
  SP_TRY(const std::int64_t owner, number(database, "PRAGMA application_id"));
  SP_TRY(const std::int64_t objects, number(database, "SELECT count(*) FROM sqlite_schema"));
  if (objects > 0 && owner != kApplicationId)
    return fail(Errc::invalid, "this file is a database, but not an agent's journal");
  if (version > kSchema) {
    return fail(Errc::invalid, "the journal was written by a newer agent (schema " + std::to_string(version) +
                                   ", this one knows " + std::to_string(kSchema) +
                                   "): install that version again, or let it finish its jobs first");
  }
  SP_CHECK(configure(database));
  SP_CHECK(check_health(database));
  if (version < kSchema) SP_CHECK(bring_up_to_date(database, version));
  return database.run(kGiveId);
}

}  // namespace sallyport::journal
