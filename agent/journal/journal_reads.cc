#include "agent/journal/journal_impl.h"

namespace sallyport::journal {
namespace {

std::optional<WallTime> time_or_none(const Row& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return from_unix_ms(row.integer(column));
}

Bytes copy(std::span<const std::byte> bytes) { return Bytes(bytes.begin(), bytes.end()); }

StepRun run_of(const Row& row) { return {row.text(0), row.integer(1), static_cast<std::uint32_t>(row.integer(2))}; }

struct SealedJob {
  Job job;
  Bytes recipe, trigger, event;
  std::optional<Bytes> cancel;
};

Payload payload_of(std::int64_t no_payload) { return no_payload == 0 ? Payload::of_recipe : Payload::none; }

Result<SealedJob> read_job(Database& db, const JobId& id) {
  std::optional<SealedJob> found;
  SP_CHECK(db.each(
      "SELECT epoch, recipe, recipe_version, run_number, trigger_kind, accepted_ms, recipe_json, trigger_json, "
      "event_key, cancel, held_before, no_payload, dry_run "
      "FROM jobs WHERE id = ? AND state = 0",
      [&](const Row& row) {
        Job job;
        job.id = id;
        job.epoch = static_cast<std::uint64_t>(row.integer(0));
        job.recipe = RecipeId(row.text(1));
        job.recipe_version = static_cast<std::uint32_t>(row.integer(2));
        job.run_number = static_cast<std::uint32_t>(row.integer(3));
        job.held_before = row.integer(10) != 0;
        job.payload = payload_of(row.integer(11));
        job.mode = row.integer(12) == 0 ? Mode::real : Mode::dry_run;
        job.trigger_kind = row.text(4);
        job.accepted_at = from_unix_ms(row.integer(5));
        std::optional<Bytes> cancel;
        if (!row.is_null(9)) cancel = copy(row.blob(9));
        found = SealedJob{std::move(job), copy(row.blob(6)), copy(row.blob(7)), copy(row.blob(8)), std::move(cancel)};
      },
      id.value));
  if (!found) return fail(Errc::not_found, "the journal has no unfinished job " + id.value);
  return *std::move(found);
}

Result<std::vector<Intent>> read_intents(Database& db, const JobId& job) {
  std::vector<Intent> intents;
  SP_CHECK(db.each(
      "SELECT path, item, attempt, epoch, idempotency_key, at_ms, wake_ms, ledger FROM intents WHERE job = ? "
      "ORDER BY path, item, attempt",
      [&](const Row& row) {
        intents.push_back({run_of(row), static_cast<std::uint64_t>(row.integer(3)), row.text(4),
                           from_unix_ms(row.integer(5)), time_or_none(row, 6), row.integer(7) != 0});
      },
      job.value));
  return intents;
}

Result<std::vector<Done>> read_done(Journal::Impl& impl, const JobId& job) {
  std::vector<Done> done;
  Result<void> opened;
  SP_CHECK(impl.database.each(
      "SELECT path, item, attempt, status, at_ms, retry_ms, result FROM done WHERE job = ? ORDER BY path, item, "
      "attempt",
      [&](const Row& row) {
        if (!opened) return;
        Done one{run_of(row),
                 static_cast<StepStatus>(row.integer(3)),
                 from_unix_ms(row.integer(4)),
                 time_or_none(row, 5),
                 {}};
        auto result = impl.sealer.open(job.value, {"done.result", place_of(one.run)}, row.blob(6));
        if (result) {
          one.result_json = *std::move(result);
          done.push_back(std::move(one));
        } else {
          opened = std::unexpected(std::move(result).error());
        }
      },
      job.value));
  SP_CHECK(std::move(opened));
  return done;
}

Result<std::vector<Progress>> read_progress(Database& db, const JobId& job) {
  std::vector<Progress> progress;
  SP_CHECK(db.each(
      "SELECT path, next_item, succeeded, failed, skipped FROM progress WHERE job = ? ORDER BY path",
      [&](const Row& row) {
        progress.push_back({row.text(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4)});
      },
      job.value));
  return progress;
}

}  // namespace

Result<std::vector<JobId>> Journal::unfinished() {
  std::vector<JobId> jobs;
  SP_CHECK(impl_->database.each("SELECT id FROM jobs WHERE state = 0 ORDER BY ordinal",
                                [&](const Row& row) { jobs.emplace_back(row.text(0)); }));
  return jobs;
}

Result<StoredJob> Journal::load(const JobId& job) {
  SP_TRY(SealedJob sealed, read_job(impl_->database, job));
  StoredJob stored;
  stored.job = std::move(sealed.job);
  auto& sealer = impl_->sealer;
  SP_TRY(stored.job.recipe_json, sealer.open(job.value, {"jobs.recipe"}, sealed.recipe));
  SP_TRY(stored.job.trigger_json, sealer.open(job.value, {"jobs.trigger"}, sealed.trigger));
  SP_TRY(stored.job.event_key_json, sealer.open(job.value, {"jobs.event_key"}, sealed.event));
  if (sealed.cancel) {
    SP_TRY(stored.cancel_reason, sealer.open(job.value, {"jobs.cancel"}, *sealed.cancel));
  }
  SP_TRY(stored.intents, read_intents(impl_->database, job));
  SP_TRY(stored.done, read_done(*impl_, job));
  SP_TRY(stored.progress, read_progress(impl_->database, job));
  return stored;
}

Result<std::optional<JobSummary>> Journal::find(const JobId& job) {
  std::optional<JobSummary> found;
  SP_CHECK(impl_->database.each(
      "SELECT epoch, state, EXISTS (SELECT 1 FROM outbox WHERE outbox.job = jobs.id) FROM jobs WHERE id = ?",
      [&](const Row& row) {
        found = JobSummary{static_cast<std::uint64_t>(row.integer(0)), static_cast<JobState>(row.integer(1)),
                           row.integer(2) != 0};
      },
      job.value));
  return found;
}

Result<std::vector<HeldJob>> Journal::holding() {
  std::vector<HeldJob> held;
  SP_CHECK(impl_->database.each(
      "SELECT id, epoch FROM jobs WHERE epoch > 0 AND (state = 0 OR id IN (SELECT job FROM outbox)) ORDER BY ordinal",
      [&](const Row& row) { held.push_back({JobId(row.text(0)), static_cast<std::uint64_t>(row.integer(1))}); }));
  return held;
}

Result<JournalMark> Journal::mark() {
  JournalMark mark;
  SP_CHECK(impl_->database.each("SELECT value FROM counters WHERE name = 'journal_id'",
                                [&](const Row& row) { mark.id = static_cast<std::uint64_t>(row.integer(0)); }));
  SP_CHECK(impl_->database.each("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'",
                                [&](const Row& row) { mark.last_seq = static_cast<std::uint64_t>(row.integer(0)); }));
  return mark;
}

Result<std::vector<OutboxRow>> Journal::outbox_after(std::uint64_t seq, std::size_t max_rows, std::size_t max_bytes) {
  std::vector<OutboxRow> rows;
  std::size_t bytes = 0;
  SP_CHECK(impl_->database.each(
      "SELECT o.seq, o.job, o.job_seq, coalesce(j.epoch, 0), o.report FROM outbox o LEFT JOIN jobs j ON j.id = o.job "
      "WHERE o.seq > ? ORDER BY o.seq LIMIT ?",
      [&](const Row& row) {
        if (bytes >= max_bytes && !rows.empty()) return;
        const std::string job = row.text(1), job_seq = std::to_string(row.integer(2));
        auto report = impl_->sealer.open(job, {"outbox.report", job_seq}, row.blob(4));
        OutboxRow read{static_cast<std::uint64_t>(row.integer(0)),
                       JobId(job),
                       static_cast<std::uint64_t>(row.integer(3)),
                       static_cast<std::uint64_t>(row.integer(2)),
                       {}};
        if (report) read.report = *std::move(report);
        bytes += read.report ? read.report->size() : 0;
        rows.push_back(std::move(read));
      },
      seq, max_rows));
  return rows;
}

Result<StoredAssignments> Journal::assignments() {
  StoredAssignments stored;
  Result<void> opened;
  SP_CHECK(impl_->database.each("SELECT value FROM counters WHERE name = 'assignments_revision'",
                                [&](const Row& row) { stored.revision = static_cast<std::uint64_t>(row.integer(0)); }));
  SP_CHECK(impl_->database.each("SELECT value FROM counters WHERE name = 'suspended'",
                                [&](const Row& row) { stored.suspended = row.integer(0) != 0; }));
  SP_CHECK(impl_->database.each(
      "SELECT recipe, version, recipe_json, no_payload FROM assignments ORDER BY recipe", [&](const Row& row) {
        const std::string recipe = row.text(0);
        auto json = impl_->sealer.open("", {"assignments", recipe}, row.blob(2));
        if (json) {
          stored.recipes.push_back({RecipeId(recipe), static_cast<std::uint32_t>(row.integer(1)), *std::move(json),
                                    payload_of(row.integer(3))});
        } else {
          opened = std::unexpected(std::move(json).error());
        }
      }));
  SP_CHECK(std::move(opened));
  return stored;
}

Result<std::optional<std::string>> Journal::cursor(const RecipeId& recipe, const std::string& name) {
  std::optional<Bytes> sealed;
  SP_CHECK(impl_->database.each(
      "SELECT value FROM cursors WHERE recipe = ? AND name = ?", [&](const Row& row) { sealed = copy(row.blob(0)); },
      recipe.value, name));
  if (!sealed) return std::nullopt;
  SP_TRY(std::string value, impl_->sealer.open("", {"cursors", recipe.value, name}, *sealed));
  return value;
}

}  // namespace sallyport::journal
