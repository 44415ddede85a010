#include "relay/store/sqlite/history_entries.h"

#include "relay/store/sqlite/readers.h"

#include <string_view>

namespace sallyport::store::sqlite {
namespace {

// What the history table shows of an entry.
struct Line {
  std::string_view kind;
  std::string_view path;
  std::uint32_t attempt = 0;
  std::string_view status;
  std::optional<Bytes> sealed_text;
};

Line line_of(const JobStarted&) { return {.kind = "job.started", .status = "running"}; }
Line line_of(const StepStarted& e) {
  return {.kind = "step.started", .path = e.path, .attempt = e.attempt, .status = "running"};
}
Line line_of(const StepFinished& e) {
  return {.kind = "step.finished", .path = e.path, .attempt = e.attempt, .status = domain::to_string(e.status)};
}
Line line_of(const StepLog& e) {
  return {.kind = "step.log", .path = e.path, .status = e.level, .sealed_text = e.sealed_text};
}
Line line_of(const JobFinished& e) { return {.kind = "job.finished", .status = domain::to_string(e.state)}; }

// Where an entry belongs while it is stored.
struct Place {
  const Job& job;
  std::uint64_t seq;
  WallTime at;
};

Result<void> take_effect(Database& db, const Place& place, const JobStarted&) {
  SP_CHECK(
      db.run("update jobs set state = 'running', started_at = coalesce(started_at, ?) "
             "where org = ? and id = ? and state in ('dispatched', 'running')",
             place.at, place.job.org, place.job.id));
  return {};
}

Result<void> take_effect(Database& db, const Place& place, const StepStarted& step) {
  SP_CHECK(db.run(
      "insert into steps (org, job, path, attempt, first_seq, status, uses, started_at, error_class, "
      "sealed_input) values (?, ?, ?, ?, ?, 'running', ?, ?, '', ?) "
      "on conflict (org, job, path, attempt) do update set status = 'running', uses = excluded.uses, "
      "started_at = excluded.started_at, finished_at = null, retry_at = null, error_class = '', sealed_message = null, "
      "sealed_input = excluded.sealed_input, sealed_output = null, plan = '' where status <> 'succeeded'",
      place.job.org, place.job.id, step.path, step.attempt, place.seq, step.uses, place.at, step.sealed_input));
  return {};
}

Result<void> take_effect(Database& db, const Place& place, const StepFinished& step) {
  SP_CHECK(
      db.run("insert into steps (org, job, path, attempt, first_seq, status, uses, finished_at, retry_at, "
             "error_class, sealed_message, sealed_output, plan) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
             "on conflict (org, job, path, attempt) do update set status = excluded.status, "
             "uses = case uses when '' then excluded.uses else uses end, "
             "finished_at = excluded.finished_at, retry_at = excluded.retry_at, error_class = excluded.error_class, "
             "sealed_message = excluded.sealed_message, sealed_output = excluded.sealed_output, "
             "plan = excluded.plan where status <> 'succeeded'",
             place.job.org, place.job.id, step.path, step.attempt, place.seq, domain::to_string(step.status), step.uses,
             place.at, step.retry_at, step.error_class, step.sealed_message, step.sealed_output, step.plan));
  return {};
}

Result<void> take_effect(Database&, const Place&, const StepLog&) { return {}; }

Result<void> take_effect(Database& db, const Place& place, const JobFinished& end) {
  if (!domain::is_final(end.state)) return fail(Errc::invalid, "a job ends in a final state only");
  SP_TRY(Job now, find_job(db, place.job.org, place.job.id));
  if (!domain::can_move(now.state, end.state)) return {};
  return end_job(db, now, {.state = end.state, .at = place.at, .error = end.error});
}

Result<bool> add_line(Database& db, const Place& place, std::uint64_t job_seq, const Line& line) {
  SP_TRY(auto changed,
         db.run("insert into history (org, job, seq, epoch, job_seq, at, kind, path, attempt, status, sealed_text) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (org, job, epoch, job_seq) do nothing",
                place.job.org, place.job.id, place.seq, place.job.lease_epoch, job_seq, place.at, line.kind, line.path,
                line.attempt, line.status, line.sealed_text));
  return changed > 0;
}

// Since an agent reported of it last.
Result<bool> is_told(Database& db, const Job& job, domain::ReleaseReason reason) {
  return db
      .prepare(
          "select exists(select 1 from history indexed by history_taken_back where org = ?1 and job = ?2 and "
          "kind = 'job.taken_back' and agent = ?3 and reason = ?4 and seq > "
          "(select coalesce(max(seq), 0) from history where org = ?1 and job = ?2 and job_seq > 0))",
          job.org, job.id, job.agent, domain::to_string(reason))
      .one("job", [](Row row) { return row.integer() != 0; });
}

Result<std::uint64_t> last_seq(Database& db, const Job& job) {
  return db.prepare("select coalesce(max(seq), 0) from history where org = ? and job = ?", job.org, job.id)
      .one("job", [](Row row) { return row.u64(); });
}

}  // namespace

Result<void> store_end(Database& db, const Job& job, const JobOutcome& outcome) {
  SP_TRY(const std::uint64_t last, last_seq(db, job));
  SP_CHECK(add_line(db, {job, last + 1, outcome.at}, 0, line_of(JobFinished{outcome.state, {}})));
  return {};
}

Result<void> store_release(Database& db, const Job& job, const Release& release) {
  if (!domain::may_have_begun(release.reason)) {
    SP_TRY(const bool told, is_told(db, job, release.reason));
    if (told) return {};
  }
  SP_TRY(const std::uint64_t last, last_seq(db, job));
  SP_CHECK(
      db.run("insert into history (org, job, seq, epoch, job_seq, at, kind, path, attempt, status, agent, reason) "
             "values (?, ?, ?, ?, 0, ?, 'job.taken_back', '', 0, 'queued', ?, ?)",
             job.org, job.id, last + 1, job.lease_epoch, release.at, job.agent, domain::to_string(release.reason)));
  return {};
}

Result<std::size_t> store_entries(Database& db, const Job& job, const std::vector<HistoryEntry>& entries) {
  SP_TRY(const std::uint64_t last, last_seq(db, job));
  std::size_t stored = 0;
  for (const HistoryEntry& entry : entries) {
    const Place place{job, last + stored + 1, entry.at};
    const Line line = std::visit([](const auto& what) { return line_of(what); }, entry.what);
    SP_TRY(bool fresh, add_line(db, place, entry.job_seq, line));
    if (!fresh) continue;
    SP_CHECK(std::visit([&](const auto& what) { return take_effect(db, place, what); }, entry.what));
    ++stored;
  }
  return stored;
}

}  // namespace sallyport::store::sqlite
