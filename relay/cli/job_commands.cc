#include "relay/cli/commands.h"
#include "relay/cli/requests.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"

#include <fmt/format.h>

#include <set>

namespace sallyport::cli {
namespace {

constexpr std::size_t kMaxInputs = 1u << 20;
constexpr std::chrono::seconds kSilence{60};
constexpr int kMostReconnects = 10;
const std::vector<Column> kJobColumns{{"ID", "id"},
                                      {"STATE", "state"},
                                      {"TRIGGER", "trigger"},
                                      {"AGENT", "agent"},
                                      {"CREATED", "created_at"},
                                      {"FINISHED", "finished_at"},
                                      {"ERROR", "error.class"}};
const std::vector<Column> kJobCard{{"ID", "id"},
                                   {"STATE", "state"},
                                   {"RECIPE", "recipe"},
                                   {"VERSION", "version"},
                                   {"TRIGGER", "trigger"},
                                   {"AGENT", "agent"},
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

bool is_success(const std::string& state) { return state == "succeeded"; }

// A line of a job's life, as it happens.
std::string line_of(const Value& event) {
  const auto at = text_of(event, "at");
  std::string line = fmt::format("{}  {:<14} {:<24} {}", at.size() > 19 ? at.substr(11, 12) : at,
                                 terminal_safe(text_of(event, "kind")), terminal_safe(text_of(event, "path")),
                                 terminal_safe(text_of(event, "status")));
  if (const Value* attempt = event.find("attempt");
      attempt != nullptr && attempt->is(Value::Kind::int64) && attempt->as_int() > 1) {
    line += fmt::format("  attempt {}", attempt->as_int());
  }
  if (const auto text = text_of(event, "text"); !text.empty()) line += "  " + terminal_safe(text);
  while (line.ends_with(' ')) line.pop_back();
  return line + "\n";
}

struct Watched {
  std::string last_event;
  std::string state;
  bool ended = false;
};

Flow show_event(const Context& context, Watched& watched, const ServerEvent& event) {
  const auto data = parse_json(event.data);
  if (!data) return Flow::go_on;
  if (!event.id.empty()) watched.last_event = event.id;
  if (event.name == "job") {
    watched.state = text_of(*data, "state");
  } else if (event.name == "end") {
    watched.ended = true;
    return Flow::stop;
  } else if (event.name == "closed" || event.name == "dropped") {
    return Flow::stop;
  }
  if (context.format == Format::table) {
    if (event.name != "job") context.print(line_of(*data));
  } else {
    context.print(to_json(Value(ValueMap{{Value("event"), Value(event.name)}, {Value("data"), *data}})) + "\n");
  }
  return Flow::go_on;
}

// Follows to the end, over lost connections and restarts of the relay; gives the job's last state.
Result<std::string> follow_job(Client& client, const Context& context, const std::string& job) {
  Watched watched;
  const auto path = fill("/v1/jobs/{}/watch", job);
  for (int tries = 0; tries < kMostReconnects && !watched.ended; ++tries) {
    const auto before = watched.last_event;
    auto followed = client.follow(path, watched.last_event, kSilence,
                                  [&](const ServerEvent& event) { return show_event(context, watched, event); });
    if (!followed && followed.error().code != Errc::unavailable && followed.error().code != Errc::timed_out)
      return std::unexpected(followed.error());
    if (watched.last_event != before) tries = 0;
  }
  if (!watched.ended)
    return fail(Errc::unavailable, "the relay did not tell the job's end; try: sallyport jobs show " + job);
  SP_TRY(const auto last, client.get(fill("/v1/jobs/{}", job)));
  const auto state = text_of(last, "state");
  if (context.format == Format::table) {
    const Value* error = last.find("error");
    const auto why = error == nullptr || error->is_null()
                         ? ""
                         : fmt::format(" ({}) {}", text_of(*error, "class"), text_of(*error, "message"));
    context.print(fmt::format("{} {}{}\n", job, state, terminal_safe(why)));
  }
  return state;
}

int watch_to_end(Context& context, Client& client, const std::string& job) {
  const auto state = follow_job(client, context, job);
  if (!state) return context.fail_with(state.error());
  return is_success(*state) ? kDone : kFailed;
}

int watch(Context& context, const Arguments& arguments) {
  int code = kDone;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    code = watch_to_end(context, client, std::string(arguments.positional(0)));
    return {};
  });
  return asked != kDone ? asked : code;
}

Result<Value> inputs_of(const Arguments& arguments) {
  if (!arguments.has("inputs")) return Value(ValueMap{});
  SP_TRY(const auto text, read_file(arguments.get("inputs"), kMaxInputs));
  auto inputs = parse_json(text);
  if (!inputs) return in_context(arguments.get("inputs"), inputs.error());
  return inputs;
}

int start(Context& context, const Arguments& arguments) {
  int code = kDone;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto inputs, inputs_of(arguments));
    ValueMap body{{Value("recipe_name"), Value(arguments.positional(0))}, {Value("inputs"), inputs}};
    if (arguments.has("event-key")) body.emplace(Value("event_key"), Value(arguments.get("event-key")));
    if (arguments.has("version")) {
      SP_TRY(auto version, parse_json(arguments.get("version")));
      body.emplace(Value("version"), std::move(version));
    }
    SP_TRY(const auto job, client.post("/v1/jobs", Value(std::move(body))));
    context.show(job, text_of(job, "id") + "\n");
    if (arguments.has("watch")) code = watch_to_end(context, client, text_of(job, "id"));
    return {};
  });
  return asked != kDone ? asked : code;
}

int list(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    std::string path = "/v1/jobs";
    char separator = '?';
    const auto add = [&](std::string_view name, const std::string& value) {
      path += fmt::format("{}{}={}", std::exchange(separator, '&'), name, percent_encode(value));
    };
    if (arguments.has("state")) add("state", arguments.get("state"));
    if (arguments.has("since")) add("since", arguments.get("since"));
    if (arguments.has("recipe")) {
      SP_TRY(const auto id, id_of(client, "recipe", "rcp_", "/v1/recipes", arguments.get("recipe")));
      add("recipe", id);
    }
    if (arguments.has("agent")) {
      SP_TRY(const auto id, id_of(client, "agent", "agt_", "/v1/agents", arguments.get("agent")));
      add("agent", id);
    }
    SP_TRY(const auto most, parse_json(arguments.get("limit", "50")));
    if (!most.is(Value::Kind::int64) || most.as_int() < 1) return fail(Errc::invalid, "--limit takes a number from 1");
    SP_TRY(const auto jobs, list_all(client, path, static_cast<std::size_t>(most.as_int())));
    context.show(jobs, table_of(jobs.find("items")->as_list(), kJobColumns));
    return {};
  });
}

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(auto job, client.get(fill("/v1/jobs/{}", arguments.positional(0))));
    SP_TRY(const auto steps, client.get(fill("/v1/jobs/{}/steps", arguments.positional(0))));
    auto whole = job.as_map();
    whole.emplace(Value("steps"), *steps.find("items"));
    context.show(Value(std::move(whole)),
                 card_of(job, kJobCard) + "\n" + table_of(steps.find("items")->as_list(), kStepColumns));
    return {};
  });
}

int logs(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    std::int64_t after = 0;
    for (;;) {
      SP_TRY(const auto page, client.get(fill("/v1/jobs/{}/events", arguments.positional(0)) +
                                         fmt::format("?limit=1000&after={}", after)));
      const auto& items = page.find("items")->as_list();
      for (const auto& event : items)
        context.print(context.format == Format::table ? line_of(event) : to_json(event) + "\n");
      const Value* last = page.find("after");
      if (items.empty() || last == nullptr || !last->is(Value::Kind::int64)) return {};
      after = last->as_int();
    }
  });
}

int cancel(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto job, client.post(fill("/v1/jobs/{}/cancel", arguments.positional(0)), Value(ValueMap{})));
    context.show(job, fmt::format("{} {}\n", text_of(job, "id"),
                                  text_of(job, "state") == "cancelled" ? "cancelled" : "is being cancelled"));
    return {};
  });
}

Result<Value> rerun_one(Client& client, const std::string& job, const std::string& from_step) {
  ValueMap body;
  if (!from_step.empty()) body.emplace(Value("from_step"), Value(from_step));
  return client.post(fill("/v1/jobs/{}/rerun", job), Value(std::move(body)));
}

// Every failed job of a recipe that has not been re-run yet, oldest first.
Result<Value> rerun_failures(Client& client, const Arguments& arguments) {
  SP_TRY(const auto recipe, id_of(client, "recipe", "rcp_", "/v1/recipes", arguments.get("failed")));
  auto path = "/v1/jobs?recipe=" + percent_encode(recipe);
  if (arguments.has("since")) path += "&since=" + percent_encode(arguments.get("since"));
  SP_TRY(const auto jobs, list_all(client, path));
  const auto& items = jobs.find("items")->as_list();
  std::set<std::string> rerun;
  for (const auto& job : items) rerun.insert(text_of(job, "rerun_of"));
  ValueList started;
  for (auto job = items.rbegin(); job != items.rend(); ++job) {
    const auto state = text_of(*job, "state");
    const bool failed = state == "failed" || state == "timed_out" || state == "dead";
    if (!failed || rerun.contains(text_of(*job, "id"))) continue;
    SP_TRY(auto again, rerun_one(client, text_of(*job, "id"), arguments.get("from")));
    started.push_back(std::move(again));
  }
  return Value(ValueMap{{Value("items"), Value(std::move(started))}});
}

int rerun(Context& context, const Arguments& arguments) {
  int code = kDone;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    if (arguments.has("failed")) {
      SP_TRY(const auto jobs, rerun_failures(client, arguments));
      context.show(jobs, table_of(jobs.find("items")->as_list(), kJobColumns));
      return {};
    }
    if (arguments.count() == 0) return fail(Errc::invalid, "give a JOB, or --failed RECIPE");
    SP_TRY(const auto job, rerun_one(client, std::string(arguments.positional(0)), arguments.get("from")));
    context.show(job, text_of(job, "id") + "\n");
    if (arguments.has("watch")) code = watch_to_end(context, client, text_of(job, "id"));
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
        watching},
       "start a recipe by hand",
       start},
      {"jobs",
       "list",
       {},
       {{"state", "STATE", "only jobs in this state"},
        {"recipe", "RECIPE", "only of this recipe"},
        {"agent", "AGENT", "only of this agent"},
        {"since", "TIME", "created at or after, RFC 3339"},
        {"limit", "N", "at most so many (50)"}},
       "jobs, newest first",
       list},
      {"jobs", "show", {"JOB"}, {}, "one job with its steps; -o json has their inputs and outputs", show},
      {"jobs", "log", {"JOB"}, {}, "everything that was reported of a job, in order", logs},
      {"jobs", "watch", {"JOB"}, {}, "follow a job live; exit code 0 only when it succeeds", watch},
      {"jobs", "cancel", {"JOB"}, {}, "end a job: at once when queued, after the running step otherwise", cancel},
      {"jobs",
       "rerun",
       {"[JOB]"},
       {{"from", "STEP", "keep the results of the steps before this one"},
        {"failed", "RECIPE", "all failed jobs of a recipe instead of one"},
        {"since", "TIME", "with --failed: only jobs created at or after"},
        watching},
       "run a job again: same version, same trigger data",
       rerun},
  };
}

}  // namespace sallyport::cli
