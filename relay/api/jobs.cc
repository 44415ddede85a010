#include "relay/api/fields.h"
#include "relay/api/job_events.h"
#include "relay/api/lookups.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "shared/recipe/model.h"

#include <charconv>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Value> shown(Services& services, const Call& call, store::Job job) {
  PayloadReader reader(services, payload_access(call.caller));
  co_return co_await job_shape(services, reader, std::move(job));
}

Said started(const store::AddedJob& added) {
  return {"job:" + added.job.id.value,
          {{Value("recipe"), Value(added.job.recipe.value)},
           {Value("version"), Value(static_cast<std::int64_t>(added.job.version))},
           {Value("dry_run"), Value(added.job.mode == store::Mode::dry_run)},
           {Value("duplicate"), Value(added.outcome == store::AddOutcome::duplicate)}}};
}

asio::awaitable<Result<Answer>> start_job(Services& services, Call call) {
  jobs::StartJob order;
  SP_CO_TRY(order.recipe, co_await recipe_of(services, call));
  if (const auto version = call.integer("version")) order.version = static_cast<std::uint32_t>(*version);
  const auto* inputs = call.body.find("inputs");
  order.inputs = inputs == nullptr ? Value(ValueMap{}) : *inputs;
  order.event_key = call.text("event_key").value_or("");
  if (const auto priority = call.integer("priority")) order.priority = static_cast<std::int32_t>(*priority);
  const auto* dry_run = call.body.find("dry_run");
  if (dry_run != nullptr && *dry_run == Value(true)) order.mode = store::Mode::dry_run;
  order.request_key = call.request_key;
  auto note = note_of<store::AddedJob>(services, call, {}, started);
  SP_CO_TRY(const auto added,
            co_await services.jobs.start(call.caller.org, std::move(order), {call.caller.actor()}, std::move(note)));
  const bool duplicate = added.outcome == store::AddOutcome::duplicate;
  auto value = (co_await shown(services, call, added.job)).as_map();
  value.emplace(Value("duplicate"), Value(duplicate));
  auto response = json_response(duplicate ? 200 : 202, Value(std::move(value)));
  response.headers.set("Location", "/v1/jobs/" + added.job.id.value);
  co_return Answer{std::move(response)};
}

Result<store::JobFilter> filter_of(const Call& call) {
  store::JobFilter filter;
  if (const auto state = call.query_text("state")) {
    SP_TRY(filter.state, domain::parse_job_state(*state));
  }
  if (const auto recipe = call.query_text("recipe")) filter.recipe = RecipeId(*recipe);
  if (const auto agent = call.query_text("agent")) filter.agent = AgentId(*agent);
  filter.since = call.query_time("since");
  filter.until = call.query_time("until");
  filter.ended = call.query_text("ended").has_value();
  return filter;
}

asio::awaitable<Result<Answer>> list_jobs(Services& services, Call call) {
  SP_CO_TRY(const auto filter, filter_of(call));
  SP_CO_TRY(auto page, co_await services.stores.jobs.list(call.caller.org, filter, call.page()));
  PayloadReader reader(services, payload_access(call.caller));
  ValueList items;
  for (auto& job : page.items) items.push_back(co_await job_shape(services, reader, std::move(job)));
  co_return ok(page_value(std::move(items), page.next));
}

asio::awaitable<Result<Answer>> get_job(Services& services, Call call) {
  SP_CO_TRY(const auto job, co_await services.stores.jobs.find(call.caller.org, call.id<JobId>("job")));
  co_return ok(co_await shown(services, call, job));
}

asio::awaitable<Result<Answer>> cancel_job(Services& services, Call call) {
  SP_CO_TRY(const auto job, co_await services.jobs.cancel(call.caller.org, call.id<JobId>("job"), {call.caller.actor()},
                                                          note_of<store::Job>(services, call)));
  co_return Answer{json_response(202, co_await shown(services, call, job))};
}

asio::awaitable<Result<Answer>> rerun_job(Services& services, Call call) {
  jobs::RerunJob order{call.id<JobId>("job"), call.text("from_step").value_or(""), call.request_key};
  auto note = note_of<store::AddedJob>(
      services, call, {"", {{Value("rerun_of"), Value(order.job.value)}, {Value("from_step"), Value(order.from_step)}}},
      [](const store::AddedJob& added) { return Said{"job:" + added.job.id.value}; });
  SP_CO_TRY(const auto job,
            co_await services.jobs.rerun(call.caller.org, std::move(order), {call.caller.actor()}, std::move(note)));
  auto response = json_response(202, co_await shown(services, call, job));
  response.headers.set("Location", "/v1/jobs/" + job.id.value);
  co_return Answer{std::move(response)};
}

std::uint64_t resume_point(const Call& call) {
  std::uint64_t seq = 0;
  if (call.last_event_id)
    std::from_chars(call.last_event_id->data(), call.last_event_id->data() + call.last_event_id->size(), seq);
  return seq;
}

asio::awaitable<Result<Answer>> watch_job(Services& services, Call call) {
  const auto id = call.id<JobId>("job");
  SP_CO_CHECK(co_await services.stores.jobs.find(call.caller.org, id));
  SP_CO_TRY(auto subscription,
            services.feed.subscribe({call.caller.org, call.caller.actor()}, {.job = id, .recipe = std::nullopt}));
  JobWatch watch{call.caller, id, resume_point(call)};
  co_return Answer{http::StreamResponse{{}, watch_events(services, std::move(watch), std::move(subscription)), {}}};
}

constexpr std::array<std::string_view, 9> kStates{"queued",    "dispatched", "running",  "succeeded", "failed",
                                                  "cancelled", "timed_out",  "in_doubt", "dead"};
constexpr std::array<std::string_view, 1> kOnly{"only"};
constexpr std::array kListQuery{cursor_field(kJobCursor),
                                kLimit,
                                Field{.name = "state", .among = kStates},
                                id_field("recipe", kRecipeIds, Presence::optional),
                                id_field("agent", kAgentIds, Presence::optional),
                                Field{.name = "since", .most = 40, .format = Format::time},
                                Field{.name = "until", .most = 40, .format = Format::time},
                                Field{.name = "ended", .among = kOnly}};
constexpr std::array kNewFields{
    id_field("recipe", kRecipeIds, Presence::optional),
    Field{.name = "recipe_name", .least = 1, .most = 63},
    Field{.name = "version", .type = FieldType::integer, .least = 1, .most = 1'000'000'000},
    Field{.name = "inputs", .type = FieldType::object},
    Field{.name = "event_key", .least = 1, .most = 256},
    Field{.name = "priority", .type = FieldType::integer, .least = 0, .most = recipe::kMaxPriority},
    Field{.name = "dry_run", .type = FieldType::boolean}};
constexpr Schema kNew{"NewJob", kNewFields};
constexpr std::array kRerunFields{Field{.name = "from_step", .least = 1, .most = 256}};
constexpr Schema kRerun{"Rerun", kRerunFields};

constexpr std::array kRoutes{
    Route{.id = "list_jobs",
          .pattern = "/v1/jobs",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::jobs_read,
          .query = kListQuery,
          .response = "JobPage",
          .handler = list_jobs},
    Route{.id = "start_job",
          .method = http::Method::post,
          .pattern = "/v1/jobs",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::jobs_run,
          .body = Body::json,
          .request = &kNew,
          .response = "StartedJob",
          .repeat = Repeat::keyed,
          .audited = "job.start",
          .body_limit = 1u << 20,
          .handler = start_job},
    Route{.id = "get_job",
          .pattern = "/v1/jobs/{job}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::jobs_read,
          .path = kJobPath,
          .response = "Job",
          .handler = get_job},
    Route{.id = "cancel_job",
          .method = http::Method::post,
          .pattern = "/v1/jobs/{job}/cancel",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::jobs_run,
          .path = kJobPath,
          .body = Body::json,
          .request = &kNothing,
          .response = "Job",
          .repeat = Repeat::idempotent,
          .audited = "job.cancel",
          .handler = cancel_job},
    Route{.id = "rerun_job",
          .method = http::Method::post,
          .pattern = "/v1/jobs/{job}/rerun",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::jobs_run,
          .path = kJobPath,
          .body = Body::json,
          .request = &kRerun,
          .response = "Job",
          .repeat = Repeat::keyed,
          .audited = "job.rerun",
          .handler = rerun_job},
    Route{.id = "watch_job",
          .pattern = "/v1/jobs/{job}/watch",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::jobs_read,
          .path = kJobPath,
          .handler = watch_job},
};

}  // namespace

std::span<const Route> job_routes() { return kRoutes; }

}  // namespace sallyport::api
