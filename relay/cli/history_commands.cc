#include "relay/cli/commands.h"
#include "relay/cli/job_views.h"
#include "relay/cli/step_table.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <optional>

// What of jobs is kept after they have ended, and until when.
namespace sallyport::cli {
namespace {

constexpr std::size_t kJobsAtOnce = 200;

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

std::string path_of(Client& client, const Arguments& arguments, Result<void>& fault) {
  auto path = fmt::format("/v1/jobs?limit={}", kJobsAtOnce);
  for (const std::string_view filter : {"state", "since", "until"}) {
    if (arguments.has(filter)) path += fmt::format("&{}={}", filter, percent_encode(arguments.get(filter)));
  }
  if (!arguments.has("recipe")) return path;
  const auto id = recipe_id_of(client, arguments.get("recipe"));
  if (!id) fault = std::unexpected(id.error());
  return id ? path + "&recipe=" + percent_encode(*id) : path;
}

int list(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    Result<void> fault;
    const auto path = path_of(client, arguments, fault);
    SP_CHECK(fault);
    const auto most = static_cast<std::size_t>(arguments.number("limit").value_or(kMostListed));
    ValueList ended;
    std::string cursor;
    do {
      SP_TRY(const auto page, client.get(cursor.empty() ? path : path + "&cursor=" + percent_encode(cursor)));
      for (const auto& job : page.find("items")->as_list()) {
        if (ended.size() < most && time_in(job, "finished_at")) ended.push_back(job);
      }
      cursor = text_of(page, "next");
    } while (!cursor.empty() && ended.size() < most);
    show_jobs(context, client, Value(ValueMap{{Value("items"), Value(std::move(ended))}}));
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
    context.print(line_of("job", job));
    SP_CHECK(each_step(client, id, Payloads::with, [&](const Value& step) { context.print(line_of("step", step)); }));
    return each_event(context, client, id, [&](const Value& event) { context.print(line_of("event", event)); });
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
        {"limit", "N", "at most so many (50)"}},
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
       "all that is kept of a job, a line of JSON each: the job, its steps with inputs and outputs, its events",
       export_job},
  };
}

}  // namespace sallyport::cli
