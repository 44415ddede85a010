#include "relay/store/sqlite/adapters.h"
#include "relay/store/sqlite/history_entries.h"
#include "relay/store/sqlite/readers.h"
#include "relay/store/sqlite/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sallyport::store::sqlite {
namespace {

constexpr std::size_t kMaxEvents = 1000;

constexpr std::string_view kStepColumns =
    "path, attempt, status, uses, started_at, finished_at, error_class, sealed_message, retry_at, "
    "coalesce(length(sealed_input), 0) + coalesce(length(sealed_output), 0), first_seq, plan";

Step read_step(Row row) {
  return {.path = row.text(),
          .attempt = row.u32(),
          .status = domain::parse_step_status(row.text()).value_or(domain::StepStatus::in_doubt),
          .uses = row.text(),
          .started_at = row.maybe_time(),
          .finished_at = row.maybe_time(),
          .error_class = row.text(),
          .sealed_message = row.maybe_bytes(),
          .retry_at = row.maybe_time(),
          .payload_bytes = static_cast<std::size_t>(row.integer()),
          .first_seq = row.u64(),
          .plan = row.text()};
}

std::optional<TakenBack> read_taken_back(Row row) {
  const auto agent = row.maybe_id<AgentId>();
  const auto reason = domain::parse_release_reason(row.text());
  if (!agent || !reason) return std::nullopt;
  return TakenBack{*agent, *reason};
}

HistoryEvent read_event(Row row) {
  return {.seq = row.u64(),
          .epoch = row.u64(),
          .job_seq = row.u64(),
          .at = row.time(),
          .kind = row.text(),
          .path = row.text(),
          .attempt = row.u32(),
          .status = row.text(),
          .sealed_text = row.maybe_bytes(),
          .error_class = row.text(),
          .sealed_message = row.maybe_bytes(),
          .taken_back = read_taken_back(row)};
}

std::size_t sealed_bytes(const HistoryEvent& event) {
  return (event.sealed_text ? event.sealed_text->size() : 0) +
         (event.sealed_message ? event.sealed_message->size() : 0);
}

Result<AppendResult> append_all(Database& db, const OrgId& org, const JobId& id, std::uint64_t epoch,
                                const std::vector<HistoryEntry>& entries) {
  SP_TRY(Job job, find_job(db, org, id));
  if (job.lease_epoch != epoch) return fail(Errc::conflict, "another lease epoch holds the job");
  SP_TRY(std::size_t stored, store_entries(db, job, entries));
  SP_TRY(Job after, find_job(db, org, id));
  return AppendResult{stored, std::move(after)};
}

// Where a page of steps ended: "<first_seq>/<attempt>/<path>".
struct StepCursor {
  std::uint64_t first_seq = 0;
  std::uint64_t attempt = 0;
  std::string path;
};

std::string cursor_of(const Step& step) { return fmt::format("{}/{}/{}", step.first_seq, step.attempt, step.path); }

Result<StepCursor> read_step_cursor(const std::string& text) {
  StepCursor cursor;
  if (text.empty()) return cursor;
  const char* end = text.data() + text.size();
  const auto seq = std::from_chars(text.data(), end, cursor.first_seq);
  const bool begun = seq.ec == std::errc() && seq.ptr != end && *seq.ptr == '/';
  const auto attempt = std::from_chars(begun ? seq.ptr + 1 : end, end, cursor.attempt);
  if (attempt.ec != std::errc() || attempt.ptr == end || *attempt.ptr != '/') return foreign_cursor();
  cursor.path.assign(attempt.ptr + 1, end);
  return cursor;
}

Result<Page<Step>> list_steps(Database& db, const OrgId& org, const JobId& job, const StepFilter& filter,
                              const PageQuery& page) {
  SP_CHECK(find_job(db, org, job));
  const std::size_t limit = page.bounded_limit(kMaxStepPage);
  SP_TRY(const StepCursor after, read_step_cursor(page.after));
  std::string where = filter.path ? "from steps" : "from steps indexed by steps_by_start";
  where += " where org = ?1 and job = ?2 and (first_seq, path, attempt) > (?3, ?4, ?5)";
  if (filter.path) where += " and path = ?6";
  where += " order by first_seq, path, attempt limit ?7";
  return page_of(db.prepare(select(kStepColumns, where), org, job, after.first_seq, after.path, after.attempt,
                            filter.path, one_more(limit)),
                 limit, read_step, cursor_of);
}

Result<std::vector<StepPayloads>> load_payloads(Database& db, const OrgId& org, const JobId& job,
                                                const std::vector<StepKey>& steps) {
  SP_CHECK(find_job(db, org, job));
  std::vector<StepPayloads> payloads;
  for (const StepKey& step : steps) {
    SP_TRY(auto found, db.prepare("select sealed_input, sealed_output from steps "
                                  "where org = ? and job = ? and path = ? and attempt = ?",
                                  org, job, step.path, step.attempt)
                           .maybe([](Row row) {
                             return StepPayloads{.sealed_input = row.maybe_bytes(), .sealed_output = row.maybe_bytes()};
                           }));
    payloads.push_back(std::move(found).value_or(StepPayloads{}));
  }
  return payloads;
}

constexpr std::string_view kEventColumns =
    "h.seq, h.epoch, h.job_seq, h.at, h.kind, h.path, h.attempt, h.status, case ? when 0 then null else h.sealed_text "
    "end, coalesce(s.error_class, ''), s.sealed_message, h.agent, h.reason";

// The words of steps are joined to the lines that tell them.
std::string from_history(Lines lines) {
  const bool all = lines == Lines::all;
  return fmt::format(
      "from history h {} left join steps s on h.kind = 'step.finished' and s.org = h.org and s.job = h.job and "
      "s.path = h.path and s.attempt = h.attempt and s.status = h.status "
      "where h.org = ? and h.job = ? and h.seq > ? {} order by h.seq",
      all ? "" : "indexed by history_taken_back", all ? "" : "and h.kind = 'job.taken_back'");
}

Result<Events> load_events(Database& db, const OrgId& org, const JobId& job, const EventQuery& query) {
  SP_CHECK(find_job(db, org, job));
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kMaxEvents);
  auto found = db.prepare(select(kEventColumns, from_history(query.lines)), query.texts == Texts::with ? 1 : 0, org,
                          job, query.after_seq);
  Events events;
  std::size_t bytes = 0;
  while (true) {
    SP_TRY(const bool another, found.next());
    if (!another) return events;
    auto event = read_event(found.row());
    bytes += sealed_bytes(event);
    events.more = events.items.size() == limit || (bytes > query.most_bytes && !events.items.empty());
    if (events.more) return events;
    events.items.push_back(std::move(event));
  }
}

constexpr std::string_view kCompleted =
    "from steps s where org = ? and job = ? and retry_at is null and status in ('succeeded', 'failed', 'skipped') and "
    "attempt = (select max(attempt) from steps l where l.org = s.org and l.job = s.job and l.path = s.path)";

KeptStep read_kept(Row row) {
  return {.path = row.text(),
          .attempt = row.u32(),
          .status = domain::parse_step_status(row.text()).value_or(domain::StepStatus::in_doubt),
          .uses = row.text(),
          .sealed_output = row.bytes(),
          .plan = row.text()};
}

Result<std::vector<KeptStep>> completed_steps(Database& db, const OrgId& org, const JobId& job,
                                              std::size_t most_bytes) {
  SP_CHECK(find_job(db, org, job));
  struct Size {
    std::uint64_t steps = 0;
    std::uint64_t bytes = 0;
  };
  SP_TRY(const Size size, db.prepare(select("count(*), coalesce(sum(length(sealed_output)), 0)", kCompleted), org, job)
                              .one("job", [](Row row) { return Size{.steps = row.u64(), .bytes = row.u64()}; }));
  if (size.steps > kMostKept || size.bytes > most_bytes) {
    return fail(Errc::too_large,
                fmt::format("the results of its {} completed steps hold {} bytes; at most {} steps and {} bytes can be "
                            "handed on",
                            size.steps, size.bytes, kMostKept, most_bytes));
  }
  const auto rest = std::string(kCompleted) + " order by first_seq, path";
  return db.prepare(select("path, attempt, status, uses, sealed_output, plan", rest), org, job).all(read_kept);
}

class SqliteHistory final : public History {
 public:
  explicit SqliteHistory(Engine& engine) : engine_(engine) {}

  awaitable<Result<AppendResult>> append(OrgId org, JobId job, std::uint64_t epoch,
                                         std::vector<HistoryEntry> entries) override {
    return engine_.write([org, job, epoch, entries = std::move(entries)](Database& db) {
      return append_all(db, org, job, epoch, entries);
    });
  }

  awaitable<Result<Page<Step>>> steps(OrgId org, JobId job, StepFilter filter, PageQuery page) override {
    return engine_.read([org, job, filter, page](Database& db) { return list_steps(db, org, job, filter, page); });
  }

  awaitable<Result<std::vector<StepPayloads>>> payloads(OrgId org, JobId job, std::vector<StepKey> steps) override {
    return engine_.read(
        [org, job, steps = std::move(steps)](Database& db) { return load_payloads(db, org, job, steps); });
  }

  awaitable<Result<Events>> events(OrgId org, JobId job, EventQuery query) override {
    return engine_.read([org, job, query](Database& db) { return load_events(db, org, job, query); });
  }

  awaitable<Result<std::vector<KeptStep>>> completed(OrgId org, JobId job, std::size_t most_bytes) override {
    return engine_.read([org, job, most_bytes](Database& db) { return completed_steps(db, org, job, most_bytes); });
  }

 private:
  Engine& engine_;
};

}  // namespace

std::unique_ptr<History> make_history(Engine& engine) { return std::make_unique<SqliteHistory>(engine); }

}  // namespace sallyport::store::sqlite
