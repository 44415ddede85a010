#include "relay/cli/commands.h"
#include "relay/cli/job_views.h"
#include "relay/cli/step_table.h"
#include "relay/cli/unreadable.h"
#include "shared/base/json.h"

#include <fmt/format.h>

#include <optional>

// What of jobs is kept after they have ended, and until when.
namespace sallyport::cli {
namespace {

const std::vector<Column> kTimes{{"WAITED", "waited"}, {"HANDED OVER", "handed_over"}, {"RAN", "ran"}};
const std::vector<Column> kKept{{"KEPT", "class"}, {"FOR", "kept"}, {"UNTIL", "expires_at"}, {"EXPIRED", "expired"}};

std::optional<WallTime> time_in(const Value& job, std::string_view member) {
  return parse_rfc3339(text_of(job, member));
}

Value between(const Value& job, std::string_view from, std::string_view to) {
  const auto begin = time_in(job, from), end = time_in(job, to);
  return begin && end ? Value(fmt::format("{:.3f}s", std::chrono::duration<double>(*end - *begin).count())) : Value();
}

std::string times_of(const Value& job) {
  return card_of(Value(ValueMap{{Value("waited"), between(job, "created_at", "dispatched_at")},
                                {Value("handed_over"), between(job, "dispatched_at", "started_at")},
                                {Value("ran"), between(job, "started_at", "finished_at")}}),
                 kTimes);
}

std::string kept_of(const Value& job) {
  const auto* retention = job.find("retention");
  if (retention == nullptr || !retention->is(Value::Kind::map)) return "";
  ValueList rows;
  for (const auto& [name, term] : retention->as_map()) {
    auto row = term.as_map();
    row.emplace(Value("class"), name);
    rows.emplace_back(std::move(row));
  }
  return "\n" + table_of(rows, kKept);
}

int list(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto path, jobs_path(client, arguments, Ended::only));
    SP_TRY(const auto jobs, list_some(client, path, part_of(arguments)));
    show_jobs(context, client, jobs);
    tell_more(context, jobs);
    return {};
  });
}

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, job_id(arguments));
    return show_job(context, client, id, [](const Value& job) { return times_of(job) + kept_of(job); });
  });
}

std::string line_of(std::string_view kind, const Value& value) {
  return to_json(Value(ValueMap{{Value(kind), value}})) + "\n";
}

int export_job(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, job_id(arguments));
    SP_TRY(const auto job, ask_job(client, id));
    Unreadable unreadable;
    const auto print = [&](std::string_view kind, const Value& value) {
      unreadable.look_into(value);
      context.print(line_of(kind, value));
    };
    print("job", job);
    SP_CHECK(each_step(client, id, Payloads::with, [&](const Value& step) { print("step", step); }));
    SP_CHECK(each_event(context, client, id, [&](const Value& event) { print("event", event); }));
    return unreadable.expect_whole("the export");
  });
}

}  // namespace

std::vector<Command> history_commands() {
  return {
      {"history",
       "list",
       {},
       {{"recipe", "RECIPE", "only of this recipe"},
        {"state", "succeeded|failed|cancelled|timed_out|in_doubt|dead", "only jobs that ended like this"},
        {"since", "TIME", "created at or after, such as 2026-01-31T09:30:00Z"},
        {"until", "TIME", "created before"},
        {"limit", "N", "at most so many (50)"},
        {"cursor", "CURSOR", "go on after an earlier list: its `next`"}},
       "jobs that have ended, newest first",
       list},
      {"history",
       "show",
       {"JOB"},
       {},
       "one job with its steps, where its time went, and until when its data is kept",
       show},
      {"history",
       "export",
       {"JOB"},
       {},
       "all that is kept of a job, a line of JSON each: the job, its steps with inputs and outputs, its events; "
       "exit code 1 when something does not open",
       export_job},
  };
}

}  // namespace sallyport::cli
