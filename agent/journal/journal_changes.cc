#include "agent/journal/journal_impl.h"

namespace sallyport::journal {
namespace {

constexpr std::uint64_t kCleanUpEvery = 256;

constexpr const char* kInsertDone =
    "INSERT INTO done(job, path, item, attempt, status, at_ms, retry_ms, result) VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kInsertDoneUnlessThere =
    "INSERT INTO done(job, path, item, attempt, status, at_ms, retry_ms, result) VALUES(?,?,?,?,?,?,?,?) ON CONFLICT "
    "DO NOTHING";

std::optional<std::int64_t> ms_of(const std::optional<WallTime>& at) {
  if (!at) return std::nullopt;
  return unix_ms(*at);
}

}  // namespace

ChangeWriter::ChangeWriter(Journal::Impl& impl) : impl_(impl), db_(impl.database) {}

Result<void> ChangeWriter::write(const Batch& batch) {
  for (const Change& change : batch) SP_CHECK(std::visit(*this, change));
  return {};
}

Result<ChangeWriter::Standing> ChangeWriter::standing_of(const JobId& job) {
  std::optional<Standing> found;
  SP_CHECK(db_.each(
      "SELECT state, epoch FROM jobs WHERE id = ?",
      [&](const Row& row) {
        found = Standing{static_cast<JobState>(row.integer(0)), static_cast<std::uint64_t>(row.integer(1))};
      },
      job.value));
  if (!found) return fail(Errc::not_found, "the journal has no job " + job.value);
  return *found;
}

Result<ChangeWriter::Standing> ChangeWriter::require_unfinished(const JobId& job) {
  SP_TRY(const Standing standing, standing_of(job));
  if (standing.state != JobState::unfinished) return fail(Errc::conflict, "job " + job.value + " has already ended");
  return standing;
}

Result<void> ChangeWriter::operator()(const AcceptJob& change) {
  const Job& job = change.job;
  const std::string& id = job.id.value;
  if (impl_.outbox.rows >= impl_.options.max_outbox_rows || impl_.outbox.bytes >= impl_.options.max_outbox_bytes) {
    return fail(Errc::exhausted, "the outbox is full: no new job until the relay has taken reports");
  }
  SP_TRY(const Bytes recipe, impl_.seal(id, {"jobs.recipe"}, job.recipe_json));
  SP_TRY(const Bytes trigger, impl_.seal(id, {"jobs.trigger"}, job.trigger_json));
  SP_TRY(const Bytes event, impl_.seal(id, {"jobs.event_key"}, job.event_key_json));
  SP_CHECK(db_.run(
      "INSERT INTO jobs(id, epoch, recipe, recipe_version, run_number, held_before, trigger_kind, accepted_ms, "
      "recipe_json, "
      "trigger_json, event_key, no_payload, dry_run) "
      "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET epoch = excluded.epoch, state = 0, run_number = "
      "excluded.run_number, held_before = excluded.held_before, "
      "recipe = excluded.recipe, recipe_version = excluded.recipe_version, trigger_kind = excluded.trigger_kind, "
      "accepted_ms = excluded.accepted_ms, ended_ms = NULL, recipe_json = excluded.recipe_json, trigger_json = "
      "excluded.trigger_json, "
      "event_key = excluded.event_key, no_payload = excluded.no_payload, dry_run = excluded.dry_run, cancel = NULL "
      "WHERE jobs.state <> 0 AND "
      "jobs.epoch < excluded.epoch "
      "AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job = jobs.id)",
      id, job.epoch, job.recipe.value, job.recipe_version, job.run_number, std::int64_t{job.held_before},
      job.trigger_kind, unix_ms(job.accepted_at), recipe, trigger, event, std::int64_t{job.payload == Payload::none},
      std::int64_t{job.mode == Mode::dry_run}));
  if (db_.changed_rows() == 0) return fail(Errc::conflict, "job " + id + " is already in the journal");
  return insert_earlier(job.id, change.done);
}

Result<void> ChangeWriter::operator()(const RaiseEpoch& change) {
  SP_CHECK(db_.run(
      "UPDATE jobs SET epoch = ?2, held_before = max(held_before, ?3) WHERE id = ?1 AND epoch < ?2 AND state <> 2",
      change.job.value, change.epoch, std::int64_t{change.held_before}));
  if (db_.changed_rows() == 0)
    return fail(Errc::conflict, "job " + change.job.value + " is not held under an earlier epoch");
  SP_TRY(const Standing standing, standing_of(change.job));
  if (standing.state == JobState::finished) return {};
  return insert_earlier(change.job, change.done);
}

Result<void> ChangeWriter::insert_earlier(const JobId& job, const std::vector<Done>& done) {
  for (const Done& one : done) SP_CHECK(insert_done(job, one, kInsertDoneUnlessThere));
  return {};
}

Result<void> ChangeWriter::insert_done(const JobId& job, const Done& done, const char* sql) {
  SP_TRY(const Bytes result, impl_.seal(job.value, {"done.result", place_of(done.run)}, done.result_json));
  return db_.run(sql, job.value, done.run.path, done.run.item, done.run.attempt, static_cast<int>(done.status),
                 unix_ms(done.at), ms_of(done.retry_at), result);
}

Result<void> ChangeWriter::operator()(const AddIntent& change) {
  SP_TRY(const Standing standing, require_unfinished(change.job));
  const Intent& intent = change.intent;
  if (standing.epoch != intent.epoch)
    return fail(Errc::conflict, "job " + change.job.value + " runs under another epoch by now");
  return db_.run(
      "INSERT INTO intents(job, path, item, attempt, epoch, idempotency_key, at_ms, wake_ms, ledger) "
      "VALUES(?,?,?,?,?,?,?,?,?) "
      "ON CONFLICT DO UPDATE SET epoch = excluded.epoch, at_ms = excluded.at_ms, ledger = ledger AND excluded.ledger",
      change.job.value, intent.run.path, intent.run.item, intent.run.attempt, intent.epoch, intent.idempotency_key,
      unix_ms(intent.at), ms_of(intent.wake_at), intent.ledger ? 1 : 0);
}

Result<void> ChangeWriter::operator()(const AddDone& change) {
  SP_CHECK(require_unfinished(change.job));
  return insert_done(change.job, change.done, kInsertDone);
}

Result<void> ChangeWriter::operator()(const SetProgress& change) {
  SP_CHECK(require_unfinished(change.job));
  const Progress& at = change.progress;
  SP_CHECK(db_.run("DELETE FROM intents WHERE job = ? AND path = ? AND item >= 0 AND item < ?", change.job.value,
                   at.path, at.next_item));
  SP_CHECK(db_.run("DELETE FROM done WHERE job = ? AND path = ? AND item >= ? AND item < ?", change.job.value, at.path,
                   change.keep, at.next_item));
  return db_.run(
      "INSERT OR REPLACE INTO progress(job, path, next_item, succeeded, failed, skipped) VALUES(?,?,?,?,?,?)",
      change.job.value, at.path, at.next_item, at.succeeded, at.failed, at.skipped);
}

Result<void> ChangeWriter::operator()(const RequestCancel& change) {
  SP_CHECK(require_unfinished(change.job));
  SP_TRY(const Bytes reason, impl_.seal(change.job.value, {"jobs.cancel"}, change.reason));
  return db_.run("UPDATE jobs SET cancel = ? WHERE id = ?", reason, change.job.value);
}

Result<void> ChangeWriter::operator()(const EndJob& change) {
  SP_CHECK(require_unfinished(change.job));
  return bury(change.job, JobState::finished, change.at);
}

Result<void> ChangeWriter::operator()(const AbandonJob& change) {
  const std::string& id = change.job.value;
  SP_CHECK(standing_of(change.job));
  SP_CHECK(db_.each(
      "SELECT count(*), coalesce(sum(size), 0) FROM outbox WHERE job = ?",
      [&](const Row& row) {
        delta_.rows -= row.integer(0);
        delta_.bytes -= row.integer(1);
      },
      id));
  SP_CHECK(db_.run("DELETE FROM outbox WHERE job = ?", id));
  return bury(change.job, JobState::abandoned, change.at);
}

Result<void> ChangeWriter::bury(const JobId& job, JobState state, WallTime at) {
  SP_CHECK(db_.run("DELETE FROM intents WHERE job = ?", job.value));
  SP_CHECK(db_.run("DELETE FROM done WHERE job = ?", job.value));
  SP_CHECK(db_.run("DELETE FROM progress WHERE job = ?", job.value));
  SP_CHECK(
      db_.run("UPDATE jobs SET state = ?, ended_ms = ?, recipe_json = NULL, trigger_json = NULL, event_key = NULL, "
              "cancel = NULL WHERE id = ?",
              static_cast<int>(state), unix_ms(at), job.value));
  if (++impl_.ended % kCleanUpEvery == 0) return drop_old_tombstones();
  return {};
}

Result<void> ChangeWriter::drop_old_tombstones() {
  return db_.run(
      "DELETE FROM jobs WHERE state <> 0 AND ordinal <= (SELECT ordinal FROM jobs WHERE state <> 0 ORDER BY ordinal "
      "DESC LIMIT 1 OFFSET ?) "
      "AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job = jobs.id)",
      impl_.options.max_tombstones);
}

Result<std::int64_t> ChangeWriter::next_job_seq(const JobId& job) {
  std::int64_t seq = 0;
  const auto keep = [&](const Row& row) { seq = row.integer(0); };
  if (job.empty()) {
    SP_CHECK(db_.each("UPDATE counters SET value = value + 1 WHERE name = 'agent_seq' RETURNING value", keep));
  } else {
    SP_CHECK(db_.each("UPDATE jobs SET last_seq = last_seq + 1 WHERE id = ? AND state <> 2 RETURNING last_seq", keep,
                      job.value));
  }
  if (seq == 0) return fail(Errc::conflict, "job " + job.value + " is not held here: it cannot report");
  return seq;
}

Result<void> ChangeWriter::operator()(const AddReport& change) {
  SP_TRY(const std::int64_t seq, next_job_seq(change.job));
  SP_TRY(const Bytes sealed, impl_.seal(change.job.value, {"outbox.report", std::to_string(seq)}, change.report));
  SP_CHECK(db_.run("INSERT INTO outbox(job, job_seq, size, report) VALUES(?,?,?,?)", change.job.value, seq,
                   sealed.size(), sealed));
  delta_.rows += 1;
  delta_.bytes += static_cast<std::int64_t>(sealed.size());
  return {};
}

Result<void> ChangeWriter::operator()(const RecordEvent& change) {
  const std::string fingerprint = impl_.sealer.fingerprint(change.recipe.value, change.key);
  SP_CHECK(db_.run("INSERT INTO events(recipe, fingerprint, at_ms) VALUES(?,?,?) ON CONFLICT DO NOTHING",
                   change.recipe.value, fingerprint, unix_ms(change.at)));
  if (db_.changed_rows() == 0)
    return fail(Errc::conflict, "recipe " + change.recipe.value + " has seen this event already");
  if (++impl_.events[change.recipe] % kCleanUpEvery != 0) return {};
  SP_CHECK(drop_old_events(change.recipe));
  return forget_departed(change.at);
}

Result<void> ChangeWriter::drop_old_events(const RecipeId& recipe) {
  return db_.run(
      "DELETE FROM events WHERE recipe = ?1 AND ordinal <= "
      "(SELECT ordinal FROM events WHERE recipe = ?1 ORDER BY ordinal DESC LIMIT 1 OFFSET ?2)",
      recipe.value, impl_.options.max_events_per_recipe);
}

// Recipes that have not been assigned for so long that nothing they have seen can come again.
Result<void> ChangeWriter::forget_departed(WallTime now) {
  const std::int64_t since = unix_ms(now - impl_.options.keep_events);
  SP_CHECK(db_.run("DELETE FROM events WHERE recipe IN (SELECT recipe FROM departed WHERE left_ms < ?)", since));
  return db_.run("DELETE FROM departed WHERE left_ms < ?", since);
}

Result<void> ChangeWriter::operator()(const SetCursor& change) {
  SP_TRY(const Bytes value, impl_.seal("", {"cursors", change.recipe.value, change.name}, change.value_json));
  return db_.run(
      "INSERT OR REPLACE INTO cursors(recipe, name, value) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM assignments "
      "WHERE recipe = ?1)",
      change.recipe.value, change.name, value);
}

Result<void> ChangeWriter::operator()(const ReplaceAssignments& change) {
  SP_CHECK(forget_departed(change.at));
  SP_CHECK(
      db_.run("INSERT OR IGNORE INTO departed(recipe, left_ms) SELECT recipe, ? FROM assignments", unix_ms(change.at)));
  SP_CHECK(db_.run("DELETE FROM assignments"));
  for (const Assignment& one : change.recipes) {
    SP_TRY(const Bytes recipe, impl_.seal("", {"assignments", one.recipe.value}, one.recipe_json));
    SP_CHECK(db_.run("INSERT INTO assignments(recipe, version, recipe_json, no_payload) VALUES(?,?,?,?)",
                     one.recipe.value, one.version, recipe, std::int64_t{one.payload == Payload::none}));
  }
  SP_CHECK(db_.run("DELETE FROM departed WHERE recipe IN (SELECT recipe FROM assignments)"));
  SP_CHECK(db_.run("DELETE FROM cursors WHERE recipe NOT IN (SELECT recipe FROM assignments)"));
  return db_.run("UPDATE counters SET value = ? WHERE name = 'assignments_revision'", change.revision);
}

Result<void> ChangeWriter::operator()(const SetSuspended& change) {
  return db_.run("INSERT OR REPLACE INTO counters(name, value) VALUES('suspended', ?)", change.suspended ? 1 : 0);
}

Result<void> ChangeWriter::operator()(const AcknowledgeReports& change) {
  SP_CHECK(db_.each(
      "SELECT count(*), coalesce(sum(size), 0) FROM outbox WHERE seq <= ?",
      [&](const Row& row) {
        delta_.rows -= row.integer(0);
        delta_.bytes -= row.integer(1);
      },
      change.up_to_seq));
  return db_.run("DELETE FROM outbox WHERE seq <= ?", change.up_to_seq);
}

}  // namespace sallyport::journal
