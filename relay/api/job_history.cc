#include "relay/api/fields.h"
#include "relay/api/job_events.h"
#include "relay/api/payloads.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/trigger_mask.h"
#include "relay/jobs/sealing.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::int64_t kStepPage = 200;

struct ShownTexts {
  Value message;
  Value input;
  Value output;
};

Value step_shape(const store::Step& step, ShownTexts texts) {
  return Object()
      .put("path", step.path)
      .put("attempt", step.attempt)
      .put("status", to_string(step.status))
      .put("uses", step.uses)
      .put("started_at", step.started_at)
      .put("finished_at", step.finished_at)
      .put("error_class", step.error_class)
      .put("plan", step.plan.empty() ? Value() : Value(step.plan))
      .put("message", std::move(texts.message))
      .put("retry_at", step.retry_at)
      .put("input", std::move(texts.input))
      .put("output", std::move(texts.output))
      .done();
}

// Only the payloads that the caller may see and that fit the answer are read from the store.
asio::awaitable<Result<ValueList>> show_steps(Services& services, PayloadReader& reader, const Call& call,
                                              std::vector<store::Step> steps) {
  const auto& org = call.caller.org;
  const auto job = call.id<JobId>("job");
  std::vector<store::StepKey> wanted;
  std::vector<bool> admitted;
  for (const auto& step : steps) {
    admitted.push_back(reader.admits(step.payload_bytes));
    if (admitted.back()) wanted.push_back({step.path, step.attempt});
  }
  SP_CO_TRY(auto payloads, co_await services.stores.history.payloads(org, job, std::move(wanted)));
  ValueList items;
  auto next = payloads.begin();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto& step = steps[i];
    const auto identity = [&](std::string_view column) {
      return jobs::step_identity(org, column, job, step.path, step.attempt);
    };
    ShownTexts shown{{}, reader.left_out(step.payload_bytes), reader.left_out(step.payload_bytes)};
    shown.message = co_await reader.read_message(identity("message"), std::move(step.sealed_message));
    if (admitted[i]) {
      auto& sealed = *next++;
      shown.input = co_await reader.read_json(identity("input"), std::move(sealed.sealed_input));
      shown.output = co_await reader.read_json(identity("output"), std::move(sealed.sealed_output));
    }
    items.push_back(step_shape(step, std::move(shown)));
  }
  co_return items;
}

asio::awaitable<Result<Answer>> list_steps(Services& services, Call call) {
  store::StepFilter filter{.path = call.query_text("path")};
  store::PageQuery query{.after = call.query_text("cursor").value_or(""),
                         .limit = static_cast<std::size_t>(call.query_integer("limit").value_or(kStepPage))};
  SP_CO_TRY(auto page, co_await services.stores.history.steps(call.caller.org, call.id<JobId>("job"), std::move(filter),
                                                              std::move(query)));
  const bool unwanted = call.query_text("payloads") == "without";
  PayloadReader reader(services, unwanted ? PayloadReader::Access::denied : payload_access(call.caller));
  SP_CO_TRY(auto items, co_await show_steps(services, reader, call, std::move(page.items)));
  auto answer = page_value(std::move(items), page.next).as_map();
  answer.emplace(Value("payloads_omitted"), Value(reader.omitted()));
  co_return ok(Value(std::move(answer)));
}

asio::awaitable<Result<Answer>> list_events(Services& services, Call call) {
  const auto job = call.id<JobId>("job");
  const auto after = static_cast<std::uint64_t>(call.query_integer("after").value_or(0));
  const auto limit = static_cast<std::size_t>(call.query_integer("limit").value_or(200));
  store::EventQuery query{.after_seq = after,
                          .limit = limit,
                          .texts = texts_for(call.caller),
                          .lines = call.query_text("kind") ? store::Lines::taken_back : store::Lines::all};
  SP_CO_TRY(auto events, co_await services.stores.history.events(call.caller.org, job, query));
  PayloadReader reader(services, payload_access(call.caller));
  ValueList items;
  auto last = after;
  for (auto& event : events.items) {
    last = event.seq;
    items.push_back(co_await event_shape(reader, call.caller.org, job, std::move(event)));
  }
  co_return ok(Object().put("items", Value(std::move(items))).put("after", last).done());
}

asio::awaitable<Result<Answer>> get_trigger(Services& services, Call call) {
  const auto job = call.id<JobId>("job");
  const auto& org = call.caller.org;
  SP_CO_TRY(const auto found, co_await services.stores.jobs.find(org, job));
  Value value;
  if (found.payload == store::Payload::kept) {
    auto sealed = co_await services.stores.jobs.sealed_trigger(org, job);
    if (!sealed && sealed.error().code == Errc::not_found)
      co_return std::unexpected(co_await services.retention.payload_ended(found));
    if (!sealed) co_return std::unexpected(std::move(sealed).error());
    PayloadReader reader(services, payload_access(call.caller));
    value = co_await reader.read_json(jobs::trigger_identity(org, job), *std::move(sealed));
    jobs::RecipeOutlines outlines(services.stores.recipes);
    const auto mask = co_await trigger_mask_of(services, outlines, found);
    value = redacted(mask.labelled(value));
  }
  co_return ok(Object().put("trigger", std::move(value)).put("payload", store::to_string(found.payload)).done());
}

constexpr std::array<std::string_view, 2> kPayloads{"with", "without"};
constexpr std::array kStepsQuery{
    cursor_field(kStepCursor),
    Field{.name = "limit", .type = FieldType::integer, .least = 1, .most = store::kMaxStepPage},
    Field{.name = "path", .most = 256}, Field{.name = "payloads", .among = kPayloads}};
constexpr std::array<std::string_view, 1> kKinds{"job.taken_back"};
constexpr std::array kEventsQuery{Field{.name = "after", .type = FieldType::integer, .least = 0, .most = INT64_MAX},
                                  Field{.name = "limit", .type = FieldType::integer, .least = 1, .most = 1000},
                                  Field{.name = "kind", .among = kKinds}};

constexpr std::array kRoutes{
    Route{.id = "list_job_steps",
          .pattern = "/v1/jobs/{job}/steps",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::jobs_read,
          .path = kJobPath,
          .query = kStepsQuery,
          .response = "StepPage",
          .handler = list_steps},
    Route{.id = "list_job_events",
          .pattern = "/v1/jobs/{job}/events",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::jobs_read,
          .path = kJobPath,
          .query = kEventsQuery,
          .response = "EventList",
          .handler = list_events},
    Route{.id = "get_job_trigger",
          .pattern = "/v1/jobs/{job}/trigger",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::payloads_read,
          .path = kJobPath,
          .response = "JobTrigger",
          .handler = get_trigger},
};

}  // namespace

std::span<const Route> job_history_routes() { return kRoutes; }

}  // namespace sallyport::api
