#include "relay/cli/commands.h"
#include "relay/cli/job_views.h"
#include "relay/cli/job_watch.h"
#include "relay/cli/requests.h"
#include "relay/cli/step_table.h"
#include "relay/cli/unreadable.h"
#include "shared/base/ids.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <set>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxInputs = 1u << 20;
const std::vector<NameSource> kJobNames{{"agent", "/v1/agents"}};
const std::vector<Column> kJobColumns{{"ID", "id"},
                                      {"RECIPE", "recipe_name"},
                                      {"VERSION", "version"},
                                      {"STATE", "state"},
                                      {"TRIGGER", "trigger"},
                                      {"AGENT", "agent_name"},
                                      {"CREATED", "created_at"},
                                      {"FINISHED", "finished_at"},
                                      {"ERROR", "error.class"}};
const std::vector<Column> kJobCard{{"ID", "id"},
                                   {"STATE", "state"},
                                   {"RECIPE", "recipe_name"},
                                   {"VERSION", "version"},
                                   {"TRIGGER", "trigger"},
                                   {"PAYLOAD", "payload"},
                                   {"AGENT", "agent_name"},
                                   {"RUN", "run_number"},
                                   {"RE-RUN OF", "rerun_of"},
                                   {"CREATED", "created_at"},
                                   {"DISPATCHED", "dispatched_at"},
                                   {"STARTED", "started_at"},
                                   {"FINISHED", "finished_at"},
                                   {"FAILED STEP", "error.step"},
                                   {"ERROR CLASS", "error.class"},
                                   {"ERROR", "error.message"}};
const std::vector<Column> kStepColumns{{"STEP", "path"},         {"ATTEMPT", "attempt"},    {"STATUS", "status"},
                                       {"USES", "uses"},         {"STARTED", "started_at"}, {"FINISHED", "finished_at"},
                                       {"CLASS", "error_class"}, {"MESSAGE", "message"}};
const std::vector<Column> kDryStepColumns{{"STEP", "path"},      {"ATTEMPT", "attempt"}, {"STATUS", "status"},
                                          {"PLAN", "plan"},      {"USES", "uses"},       {"CLASS", "error_class"},
                                          {"MESSAGE", "message"}};

bool is_dry_run(const Value& job) {
  const Value* dry_run = job.find("dry_run");
  return dry_run != nullptr && *dry_run == Value(true);
}

const std::vector<Column> kTakenBackColumns{
    {"TAKEN BACK", "at"}, {"FROM AGENT", "agent_name"}, {"CLASS", "error_class"}, {"MESSAGE", "message"}};

}  // namespace

Result<std::string> job_id(const Arguments& arguments) { return checked_id("job", "job_", arguments.positional(0)); }

Result<Value> ask_job(Client& client, const std::string& id, std::string_view below) {
  return about(client.get(fill("/v1/jobs/{}", id).append(below)), "job", id);
}

namespace {

// A job that began to exist: its id for people; with --watch its life follows.
int tell_started(Context& context, Client& client, const Value& job, const Arguments& arguments) {
  const auto id = text_of(job, "id");
  if (const Value* known = job.find("duplicate"); known != nullptr && *known == Value(true))
    context.complain(fmt::format("nothing new was started: {} has this event key, {}", id, text_of(job, "state")));
  if (!arguments.has("watch")) {
    context.show(job, id + "\n");
    return kDone;
  }
  context.show_line(job, id + "\n");
  const auto state = follow_job(client, context, id);
  if (!state) return context.fail_with(state.error());
  return *state == "succeeded" ? kDone : kFailed;
}

int watch(Context& context, const Arguments& arguments) {
  std::string state;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, job_id(arguments));
    SP_TRY(const auto job, ask_job(client, id));
    SP_TRY(state, follow_job(client, context, id));
    return {};
  });
  return asked == kDone && state != "succeeded" ? kFailed : asked;
}

Result<Value> inputs_of(const Context& context, const Arguments& arguments) {
  if (!arguments.has("inputs")) return Value(ValueMap{});
  SP_TRY(const auto text, read_input(context, arguments.get("inputs"), kMaxInputs));
  auto inputs = parse_json(text);
  if (!inputs) return in_context(arguments.get("inputs"), inputs.error());
  return inputs;
}

Error not_startable(Error error, const Arguments& arguments) {
  const bool versioned = arguments.has("version") && error.code == Errc::not_found;
  error = about(std::move(error), "recipe", arguments.positional(0));
  if (versioned) error.message = fmt::format("{}, or no version {} of it", error.message, arguments.get("version"));
  return error;
}

int start(Context& context, const Arguments& arguments) {
  int code = kDone;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto inputs, inputs_of(context, arguments));
    const auto recipe = arguments.positional(0);
    ValueMap body{{Value(is_ulid(recipe, "rcp_") ? "recipe" : "recipe_name"), Value(recipe)},
                  {Value("inputs"), inputs}};
    if (arguments.has("event-key")) body.emplace(Value("event_key"), Value(arguments.get("event-key")));
    if (const auto version = arguments.number("version")) body.emplace(Value("version"), Value(*version));
    if (const auto priority = arguments.number("priority")) body.emplace(Value("priority"), Value(*priority));
    if (arguments.has("dry-run")) body.emplace(Value("dry_run"), Value(true));
    const auto job = client.post_once("/v1/jobs", Value(std::move(body)));
    if (!job) return std::unexpected(not_startable(job.error(), arguments));
    code = tell_started(context, client, *job, arguments);
    return {};
  });
  return asked != kDone ? asked : code;
}

}  // namespace

void show_jobs(const Context& context, Client& client, const Value& jobs) {
  auto rows = jobs.find("items")->as_list();
  add_names(client, rows, kJobNames);
  auto for_people = rows;
  for (auto& job : for_people) {
    if (!is_dry_run(job)) continue;
    auto told = job.as_map();
    told.insert_or_assign(Value("trigger"), Value(text_of(job, "trigger") + " (dry run)"));
    job = Value(std::move(told));
  }
  const auto text = table_of(for_people, kJobColumns);
  auto shown = jobs.as_map();
  shown.insert_or_assign(Value("items"), Value(std::move(rows)));
  context.show(Value(std::move(shown)), text);
}

// The recipe of this name, or the last one of it that was deleted: its jobs stay.
Result<std::string> recipe_id_of(Client& client, const std::string& name_or_id) {
  auto id = id_of(client, "recipe", "rcp_", "/v1/recipes", name_or_id);
  if (id || id.error().code != Errc::not_found) return id;
  SP_TRY(const auto all, list_all(client, "/v1/recipes?removed=with&name=" + percent_encode(name_or_id)));
  const auto& items = all.find("items")->as_list();
  if (items.empty()) return id;
  return text_of(items.back(), "id");
}

Result<std::string> jobs_path(Client& client, const Arguments& arguments, Ended ended) {
  std::string path = "/v1/jobs";
  char separator = '?';
  const auto add = [&](std::string_view name, const std::string& value) {
    path += fmt::format("{}{}={}", std::exchange(separator, '&'), name, percent_encode(value));
  };
  for (const std::string_view filter : {"state", "since", "until"}) {
    if (arguments.has(filter)) add(filter, arguments.get(filter));
  }
  if (arguments.has("recipe")) {
    SP_TRY(const auto id, recipe_id_of(client, arguments.get("recipe")));
    add("recipe", id);
  }
  if (arguments.has("agent")) {
    SP_TRY(const auto id, id_of(client, "agent", "agt_", "/v1/agents", arguments.get("agent")));
    add("agent", id);
  }
  if (ended == Ended::only) add("ended", "only");
  return path;
}

namespace {

int list(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto path, jobs_path(client, arguments));
    SP_TRY(const auto jobs, list_some(client, path, part_of(arguments)));
    show_jobs(context, client, jobs);
    tell_more(context, jobs);
    return {};
  });
}

// Why it started later than it could, or again.
Result<ValueList> taken_back(Client& client, const std::string& job) {
  SP_TRY(const auto page, ask_job(client, job, "/events?kind=job.taken_back&limit=1000"));
  const Value* items = page.find("items");
  if (items == nullptr || !items->is(Value::Kind::list)) return fail(Errc::invalid, "the relay's answer is no list");
  auto rows = items->as_list();
  add_names(client, rows, kJobNames);
  return rows;
}

std::string table_of_taken_back(const ValueList& rows) {
  return rows.empty() ? "" : "\n" + table_of(rows, kTakenBackColumns);
}

// For people, what `payload` means.
Value card_values(ValueMap job) {
  if (is_dry_run(Value(job)))
    job.insert_or_assign(Value("trigger"), Value(text_of(Value(job), "trigger") + " (dry run: without effects)"));
  if (auto payload = job.find(Value("payload")); payload != job.end()) {
    if (payload->second == Value("none"))
      payload->second = Value("not kept (zero retention): no inputs, outputs or texts, and no re-run");
    if (payload->second == Value("expired"))
      payload->second = Value("gone (its retention has ended): no inputs and outputs, and no re-run");
  }
  return Value(std::move(job));
}

}  // namespace

Result<void> show_job(const Context& context, Client& client, const std::string& id,
                      const std::function<std::string(const Value&)>& more) {
  SP_TRY(auto job, ask_job(client, id));
  auto whole = with_names(client, std::move(job), kJobNames).as_map();
  SP_TRY(auto taken, taken_back(client, id));
  if (context.format == Format::table) {
    StepTable steps;
    SP_CHECK(each_step(client, id, Payloads::without, [&](const Value& step) { steps.add(step); }));
    SP_TRY(const auto outputs, failed_outputs(client, id, steps.rows()));
    context.print(card_of(card_values(whole), kJobCard) + (more ? more(Value(whole)) : "") + "\n" +
                  table_of(steps.rows(), is_dry_run(Value(whole)) ? kDryStepColumns : kStepColumns) + steps.left_out() +
                  table_of_taken_back(taken) + outputs);
    return {};
  }
  ValueList steps;
  SP_CHECK(each_step(client, id, Payloads::with, [&](const Value& step) { steps.push_back(step); }));
  whole.emplace(Value("steps"), Value(std::move(steps)));
  whole.emplace(Value("taken_back"), Value(std::move(taken)));
  context.show(Value(std::move(whole)), "");
  return {};
}

Result<void> each_event(const Context& context, Client& client, const std::string& id,
                        const std::function<void(const Value& event)>& take) {
  std::int64_t after = 0;
  for (;;) {
    SP_TRY(const auto page, ask_job(client, id, fmt::format("/events?limit=1000&after={}", after)));
    const auto& items = page.find("items")->as_list();
    for (const auto& event : items) take(event);
    const Value* last = page.find("after");
    if (!context.can_print() || items.empty() || last == nullptr || !last->is(Value::Kind::int64)) return {};
    after = last->as_int();
  }
}

namespace {

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, job_id(arguments));
    return show_job(context, client, id);
  });
}

// Nothing printed is no answer when there was something once.
Result<void> tell_expired_log(const Context& context, Client& client, const std::string& id) {
  SP_TRY(const auto job, ask_job(client, id));
  const auto* retention = job.find("retention");
  const auto* kept = retention == nullptr ? nullptr : retention->find("logs");
  const auto* expired = kept == nullptr ? nullptr : kept->find("expired");
  if (expired == nullptr || *expired != Value(true)) return {};
  context.complain(fmt::format("nothing is left of the log of {}: its retention ended on {}", id,
                               terminal_safe(text_of(*kept, "expires_at"))));
  return {};
}

int logs(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, job_id(arguments));
    bool any = false;
    Unreadable unreadable;
    SP_CHECK(each_event(context, client, id, [&](const Value& event) {
      any = true;
      unreadable.look_into(event);
      context.show_line(event, history_line(event));
    }));
    return any ? unreadable.expect_whole("the log") : tell_expired_log(context, client, id);
  });
}

int cancel(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, job_id(arguments));
    SP_TRY(const auto job, about(client.post(fill("/v1/jobs/{}/cancel", id), Value(ValueMap{})), "job", id));
    context.show(job, fmt::format("{} {}\n", text_of(job, "id"),
                                  text_of(job, "state") == "cancelled" ? "cancelled" : "is being cancelled"));
    return {};
  });
}

Result<Value> rerun_one(Client& client, const std::string& job, const std::string& from_step) {
  ValueMap body;
  if (!from_step.empty()) body.emplace(Value("from_step"), Value(from_step));
  return about(client.post_once(fill("/v1/jobs/{}/rerun", job), Value(std::move(body))), "job", job);
}

bool is_failure(const std::string& state) { return state == "failed" || state == "timed_out" || state == "dead"; }

// Ids of the failed jobs of a recipe that have not been re-run yet, oldest first.
Result<std::vector<std::string>> failures_of(Client& client, const Arguments& arguments) {
  SP_TRY(const auto recipe, id_of(client, "recipe", "rcp_", "/v1/recipes", arguments.get("failed")));
  auto path = "/v1/jobs?recipe=" + percent_encode(recipe);
  if (arguments.has("since")) path += "&since=" + percent_encode(arguments.get("since"));
  SP_TRY(const auto jobs, list_all(client, path));
  const auto& items = jobs.find("items")->as_list();
  std::set<std::string> rerun;
  for (const auto& job : items) rerun.insert(text_of(job, "rerun_of"));
  std::vector<std::string> ids;
  for (auto job = items.rbegin(); job != items.rend(); ++job) {
    const auto id = text_of(*job, "id");
    if (!is_dry_run(*job) && is_failure(text_of(*job, "state")) && !rerun.contains(id)) ids.push_back(id);
  }
  return ids;
}

bool is_refusal(Errc code) { return code == Errc::conflict || code == Errc::invalid || code == Errc::not_found; }

// A job that the relay refuses to run again keeps no other from it.
Result<void> rerun_failures(Context& context, Client& client, const Arguments& arguments) {
  SP_TRY(const auto ids, failures_of(client, arguments));
  ValueList started;
  std::size_t refused = 0;
  for (const auto& id : ids) {
    auto again = rerun_one(client, id, arguments.get("from"));
    if (again) {
      started.push_back(*std::move(again));
      continue;
    }
    if (!is_refusal(again.error().code))
      return in_context(fmt::format("after {} of {} jobs", started.size(), ids.size()), std::move(again).error());
    context.complain(terminal_safe(fmt::format("{}: {}", id, again.error().message)));
    ++refused;
  }
  show_jobs(context, client, Value(ValueMap{{Value("items"), Value(std::move(started))}}));
  if (refused == 0) return {};
  return fail(Errc::conflict, fmt::format("{} of {} failed jobs were not run again", refused, ids.size()));
}

Result<void> check_rerun(const Arguments& arguments) {
  if ((arguments.count() == 0) == !arguments.has("failed"))
    return fail(Errc::invalid, "give a JOB, or --failed RECIPE");
  if (arguments.has("since") && !arguments.has("failed"))
    return fail(Errc::invalid, "--since goes with --failed RECIPE, not with a JOB");
  if (arguments.has("watch") && arguments.has("failed"))
    return fail(Errc::invalid, "--watch follows one JOB, not those of --failed");
  return {};
}

int rerun(Context& context, const Arguments& arguments) {
  int code = kDone;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    if (arguments.has("failed")) return rerun_failures(context, client, arguments);
    SP_TRY(const auto id, job_id(arguments));
    SP_TRY(const auto job, rerun_one(client, id, arguments.get("from")));
    code = tell_started(context, client, job, arguments);
    return {};
  });
  return asked != kDone ? asked : code;
}

}  // namespace

std::vector<Command> job_commands() {
  const Option watching{"watch", "", "follow it to its end"};
  return {
      {"jobs",
       "start",
       {"RECIPE"},
       {{"inputs", "FILE.json", "values of the recipe's inputs (- reads standard input)"},
        {"event-key", "KEY", "the same key again starts nothing"},
        {"version", "N", "another version than the active one"},
        {"priority", "0..9", "higher goes first (the recipe's)"},
        {"dry-run", "", "without effects: what only reads runs, SQL is rolled back, the rest is planned"},
        watching},
       "start a recipe by hand",
       start},
      {"jobs",
       "list",
       {},
       {{"state", "queued|dispatched|running|succeeded|failed|cancelled|timed_out|in_doubt|dead",
         "only jobs in this state"},
        {"recipe", "RECIPE", "only of this recipe"},
        {"agent", "AGENT", "only of this agent"},
        {"since", "TIME", "created at or after, such as 2026-01-31T09:30:00Z"},
        {"limit", "N", "at most so many (50)"},
        {"cursor", "CURSOR", "go on after an earlier list: its `next`"}},
       "jobs, newest first",
       list},
      {"jobs",
       "show",
       {"JOB"},
       {},
       "one job with its steps, items counted when they are many, the agents it was taken back from, and what failed "
       "steps gave; -o json has all, with inputs and outputs",
       show},
      {"jobs", "log", {"JOB"}, {}, "everything that was reported of a job, in order", logs},
      {"jobs", "watch", {"JOB"}, {}, "follow a job live; exit code 0 only when it succeeds", watch},
      {"jobs", "cancel", {"JOB"}, {}, "end a job; a running step is interrupted", cancel},
      {"jobs",
       "rerun",
       {"[JOB]"},
       {{"from", "STEP", "keep the results of the steps before this one"},
        {"failed", "RECIPE", "all failed jobs of a recipe instead of one"},
        {"since", "TIME", "with --failed: only jobs created at or after"},
        watching},
       "run a job again: same version, same trigger data",
       rerun,
       check_rerun},
  };
}

}  // namespace sallyport::cli
