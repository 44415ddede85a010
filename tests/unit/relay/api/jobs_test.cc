#include "relay/jobs/sealing.h"
#include "shared/async/timeout.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

// Jobs, their history and their live view, with payloads as they are stored: sealed.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::Role;

namespace {

struct Running {
  Tenant tenant;
  RecipeId recipe;
  AgentId agent;
  JobId job;
};

asio::awaitable<Bytes> seal(World& world, OrgId org, std::string table, std::string column, std::string record,
                            std::string text) {
  co_return must(co_await world.envelope.seal({org, table, column, record}, as_bytes(text)));
}

// A job that an agent holds under epoch 1.
asio::awaitable<Running> run_job(World& world, Tenant tenant) {
  const auto targets = co_await world.make_targets(tenant);
  const auto now = world.clock.wall();
  must(co_await world.stores.jobs.claim(tenant.org, targets.job, {targets.agent, 0, now, now + 1min}));
  co_return Running{tenant, targets.recipe, targets.agent, targets.job};
}

asio::awaitable<void> report(World& world, Running run, std::uint64_t seq, decltype(store::HistoryEntry::what) what) {
  std::vector<store::HistoryEntry> entries{{seq, world.clock.wall(), std::move(what)}};
  must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::move(entries)));
  world.feed.publish(run.tenant.org, run.recipe, {run.job, seq});
}

asio::awaitable<void> report_step(World& world, Running run, std::uint64_t seq, std::string output) {
  const auto record = store::step_record(run.job, "rows", 1);
  auto input = co_await seal(world, run.tenant.org, "steps", "input", record, R"({"query":"input-canary"})");
  auto sealed = co_await seal(world, run.tenant.org, "steps", "output", record, std::move(output));
  co_await report(world, run, seq, store::StepStarted{"rows", 1, "sql.query@1", std::move(input)});
  co_await report(
      world, run, seq + 1,
      store::StepFinished{.path = "rows", .attempt = 1, .sealed_output = std::move(sealed), .retry_at = std::nullopt});
}

// Plays a live view until `count` events have come or it ends.
asio::awaitable<std::vector<http::ServerEvent>> collect(http::EventSource& source, std::size_t count) {
  std::vector<http::ServerEvent> events;
  while (events.size() < count) {
    auto event = co_await source.next(std::chrono::steady_clock::now() + 2s);
    if (!event) break;
    if (event->name.empty()) break;  // silence
    events.push_back(*std::move(event));
  }
  co_return events;
}

std::string names_of(const std::vector<http::ServerEvent>& events) {
  std::string out;
  for (const auto& event : events) out += event.name + (event.id.empty() ? "" : "#" + event.id) + " ";
  return out;
}

asio::awaitable<std::unique_ptr<http::EventSource>> watch(World& world, Running run, std::string token,
                                                          std::string last = "") {
  Ask ask{"GET", "/v1/jobs/" + run.job.value + "/watch", std::move(token)};
  if (!last.empty()) ask.headers.push_back("Last-Event-ID: " + last);
  auto reply = co_await world.play(std::move(ask));
  co_return std::move(std::get<http::StreamResponse>(reply).events);
}

}  // namespace

ASYNC_TEST_CASE("inputs that no agent could be sent are refused when the job is started", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto yaml = recipe_yaml("large") + "inputs: {x: {type: text}}\n";
  const auto recipe = co_await world.apply_recipe(tenant, "large", yaml);
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  for (const auto& [size, status] : {std::pair{200'000, 202}, std::pair{300'000, 413}}) {
    const auto body = fmt::format(R"({{"recipe_name":"large","inputs":{{"x":"{}"}}}})", std::string(size, 'x'));
    const auto answer = co_await world.call({"POST", "/v1/jobs", tenant.token(Role::editor), body});
    CHECK(answer.status == status);
    if (status == 413) CHECK(answer.body.find("put large data where the agent reads it") != std::string::npos);
  }
}

ASYNC_TEST_CASE("a job is started by recipe id or name, once per event key", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto targets = co_await world.make_targets(tenant);
  const auto name =
      text_of(json_of(co_await world.call({"GET", "/v1/recipes/" + targets.recipe.value, editor})), "name");
  const auto body = fmt::format(R"({{"recipe_name":"{}","event_key":"e1","priority":3}})", name);
  const auto first = co_await world.call({"POST", "/v1/jobs", editor, body});
  REQUIRE(first.status == 202);
  CHECK(text_of(json_of(first), "state") == "queued");
  CHECK(json_of(first).find("priority")->as_int() == 3);
  const auto again = co_await world.call({"POST", "/v1/jobs", editor, body});
  CHECK(again.status == 200);
  CHECK(json_of(again).find("duplicate")->as_bool());
  CHECK(text_of(json_of(again), "id") == text_of(json_of(first), "id"));
  const auto nothing = co_await world.call({"POST", "/v1/jobs", editor, "{}"});
  CHECK(nothing.status == 422);
  const auto both = co_await world.call(
      {"POST", "/v1/jobs", editor, fmt::format(R"({{"recipe":"{}","recipe_name":"{}"}})", targets.recipe.value, name)});
  CHECK(both.status == 422);
  CHECK(both.body.find("not both") != std::string::npos);
  const auto inactive = co_await world.call({"POST", "/v1/recipes/" + targets.recipe.value + "/deactivate", editor});
  CHECK(inactive.status == 200);
  const auto refused =
      co_await world.call({"POST", "/v1/jobs", editor, fmt::format(R"({{"recipe":"{}"}})", targets.recipe.value)});
  CHECK(refused.status == 409);
}

ASYNC_TEST_CASE("jobs are filtered, cancelled and run again", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto targets = co_await world.make_targets(tenant);
  const auto count = [&](std::string query) -> asio::awaitable<std::size_t> {
    const auto listed = co_await world.call({"GET", "/v1/jobs?" + query, editor});
    co_return items_of(listed).size();
  };
  const auto queued = co_await count("state=queued"), cancelled = co_await count("state=cancelled");
  const auto of_recipe = co_await count("recipe=" + targets.recipe.value),
             of_agent = co_await count("agent=" + targets.agent.value);
  CHECK(queued == 1);
  CHECK(cancelled == 1);
  CHECK(of_recipe == 2);
  CHECK(of_agent == 0);
  const auto place = "/v1/jobs/" + targets.job.value;
  const auto early = co_await world.call({"POST", place + "/rerun", editor});
  CHECK(early.status == 409);
  const auto stopped = co_await world.call({"POST", place + "/cancel", editor});
  CHECK(stopped.status == 202);
  CHECK(text_of(json_of(stopped), "state") == "cancelled");
  const auto late = co_await world.call({"POST", place + "/cancel", editor});
  CHECK(late.status == 409);
  const auto again = co_await world.call({"POST", place + "/rerun", editor});
  CHECK(again.status == 202);
  CHECK(text_of(json_of(again), "rerun_of") == targets.job.value);
  REQUIRE(again.headers.find("Location") != nullptr);
  CHECK(*again.headers.find("Location") != place);
}

ASYNC_TEST_CASE("steps show payloads to those who may see them and to nobody else", "[api][jobs][payload]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  co_await report_step(world, run, 1, R"({"rows":3,"note":"output-canary"})");
  const auto owner = run.tenant.token(Role::owner);
  const auto steps = co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/steps", owner});
  const auto step = items_of(steps).at(0);
  CHECK(misfit("StepPage", json_of(steps)) == "");
  CHECK(text_of(step, "path") == "rows");
  CHECK(text_of(step, "status") == "succeeded");
  CHECK(text_of(*step.find("input"), "query") == "input-canary");
  CHECK(step.find("output")->find("rows")->as_int() == 3);
  CHECK_FALSE(json_of(steps).find("payloads_omitted")->as_bool());

  const auto made = co_await world.call({"POST", "/v1/tokens", owner, R"({"name":"n","scopes":["jobs:read"]})"});
  const auto narrow = text_of(json_of(made), "secret");
  const auto blind = co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/steps", narrow});
  CHECK(blind.status == 200);
  CHECK(blind.body.find("canary") == std::string::npos);
  CHECK(items_of(blind).at(0).find("output")->is_null());
  const auto trigger = co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/trigger", narrow});
  CHECK(trigger.status == 403);
  const auto seen = co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/trigger", owner});
  CHECK(text_of(*json_of(seen).find("trigger"), "kind") == "manual");
  CHECK(world.sink.text.find("canary") == std::string::npos);
}

ASYNC_TEST_CASE("a payload whose key is gone is said to be unreadable", "[api][jobs][payload]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto elsewhere = co_await seal(world, run.tenant.org, "steps", "output", "another record", R"({"x":1})");
  co_await report(world, run, 1, store::StepStarted{"rows", 1, "sql.query@1", std::nullopt});
  co_await report(world, run, 2,
                  store::StepFinished{
                      .path = "rows", .attempt = 1, .sealed_output = std::move(elsewhere), .retry_at = std::nullopt});
  const auto steps =
      co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/steps", run.tenant.token(Role::owner)});
  const auto step = items_of(steps).at(0);
  CHECK(step.find("input")->is_null());
  CHECK(step.find("output")->find("$unreadable") != nullptr);
}

// The job's only step fails, and so does the job, both with these sealed messages.
asio::awaitable<void> fail_with(World& world, Running run, std::optional<Bytes> of_step, std::optional<Bytes> of_job) {
  co_await report(world, run, 1,
                  store::StepFinished{.path = "rows",
                                      .attempt = 1,
                                      .status = domain::StepStatus::failed,
                                      .error_class = "connection",
                                      .sealed_message = std::move(of_step)});
  co_await report(world, run, 2,
                  store::JobFinished{domain::JobState::failed, {"connection", std::move(of_job), "rows"}});
}

asio::awaitable<Bytes> sealed_error(World& world, Running run, std::string text) {
  const auto identity = jobs::error_identity(run.tenant.org, run.job);
  co_return must(co_await jobs::seal_error(world.envelope, identity, std::move(text))).value();
}

ASYNC_TEST_CASE("why a job and its steps failed is told to all who may read jobs", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  const auto identity = jobs::step_identity(run.tenant.org, "message", run.job, "rows", 1);
  auto of_step = must(co_await jobs::seal_error(world.envelope, identity, "no order 4711"));
  auto of_job = co_await sealed_error(world, run, "step rows: no order 4711");
  co_await fail_with(world, run, std::move(of_step), std::move(of_job));
  const auto made = co_await world.call(
      {"POST", "/v1/tokens", run.tenant.token(Role::owner), R"({"name":"n","scopes":["jobs:read"]})"});
  const auto reader = text_of(json_of(made), "secret");
  const auto place = "/v1/jobs/" + run.job.value;
  const auto job = json_of(co_await world.call({"GET", place, reader}));
  CHECK(misfit("Job", job) == "");
  CHECK(text_of(*job.find("error"), "class") == "connection");
  CHECK(text_of(*job.find("error"), "message") == "step rows: no order 4711");
  CHECK(text_of(*job.find("error"), "step") == "rows");
  const auto listed = items_of(co_await world.call({"GET", "/v1/jobs?state=failed", reader}));
  REQUIRE(listed.size() == 1);
  CHECK(listed[0] == job);
  const auto step = items_of(co_await world.call({"GET", place + "/steps", reader})).at(0);
  CHECK(text_of(step, "message") == "no order 4711");
  const auto live = co_await watch(world, run, reader);
  const auto told = co_await collect(*live, 10);
  REQUIRE(!told.empty());
  CHECK(must(parse_json(told[0].data)) == job);
  CHECK(world.sink.text.find("4711") == std::string::npos);
}

ASYNC_TEST_CASE("a message that does not open is said to be unreadable, and hides nothing else", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  keys::LocalEnvelope other(keys::new_master_key());
  const auto good = co_await run_job(world, tenant), changed = co_await run_job(world, tenant),
             moved = co_await run_job(world, tenant), keyless = co_await run_job(world, tenant);
  co_await fail_with(world, good, std::nullopt, co_await sealed_error(world, good, "told"));
  auto bytes = co_await sealed_error(world, changed, "told");
  bytes.back() ^= std::byte{1};
  co_await fail_with(world, changed, bytes, bytes);
  co_await fail_with(world, moved, std::nullopt, co_await sealed_error(world, good, "told"));
  const auto identity = jobs::error_identity(tenant.org, keyless.job);
  auto foreign = must(co_await jobs::seal_error(other, identity, "told"));
  co_await fail_with(world, keyless, foreign, foreign);

  const auto listed = co_await world.call({"GET", "/v1/jobs?state=failed", tenant.token(Role::viewer)});
  REQUIRE(listed.status == 200);
  CHECK(misfit("JobPage", json_of(listed)) == "");
  std::map<std::string, std::string> whys;
  for (const auto& job : items_of(listed)) {
    const auto* message = job.find("error")->find("message");
    whys[text_of(job, "id")] =
        message->is(Value::Kind::string) ? message->as_string() : text_of(*message, "$unreadable");
    CHECK(text_of(*job.find("error"), "class") == "connection");
  }
  CHECK(whys.size() == 4);
  CHECK(whys[good.job.value] == "told");
  CHECK(whys[changed.job.value] == "it was changed, or belongs to another record");
  CHECK(whys[moved.job.value] == "it was changed, or belongs to another record");
  CHECK(whys[keyless.job.value] == "it is sealed under a key that this relay does not have now");
  const auto first = world.sink.text.find("record.unreadable");
  CHECK(first != std::string::npos);
  CHECK(world.sink.text.find("record.unreadable", first + 1) == std::string::npos);  // once an answer

  const auto steps =
      co_await world.call({"GET", "/v1/jobs/" + keyless.job.value + "/steps", tenant.token(Role::viewer)});
  CHECK(misfit("StepPage", json_of(steps)) == "");
  CHECK(items_of(steps).at(0).find("message")->find("$unreadable") != nullptr);
  const auto live = co_await watch(world, keyless, tenant.token(Role::viewer));
  const auto told = co_await collect(*live, 10);
  CHECK(names_of(told).ends_with("end "));
}

ASYNC_TEST_CASE("an answer holds a bounded amount of payload", "[api][jobs][payload]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  const auto large = to_json(Value(std::string(5u << 20, 'x')));
  for (std::uint64_t i = 0; i < 2; ++i) {
    const auto path = "s" + std::to_string(i);
    const auto record = store::step_record(run.job, path, 1);
    auto output = co_await seal(world, run.tenant.org, "steps", "output", record, large);
    co_await report(world, run, 2 * i + 1, store::StepStarted{path, 1, "file.read@1", std::nullopt});
    co_await report(
        world, run, 2 * i + 2,
        store::StepFinished{.path = path, .attempt = 1, .sealed_output = std::move(output), .retry_at = std::nullopt});
  }
  const auto place = "/v1/jobs/" + run.job.value + "/steps";
  const auto all = json_of(co_await world.call({"GET", place, run.tenant.token(Role::owner)}));
  CHECK(all.find("payloads_omitted")->as_bool());
  CHECK(all.find("items")->as_list().at(1).find("output")->find("$omitted") != nullptr);
  const auto one = json_of(co_await world.call({"GET", place + "?path=s1", run.tenant.token(Role::owner)}));
  REQUIRE(one.find("items")->as_list().size() == 1);
  CHECK(one.find("items")->as_list().at(0).find("output")->is(Value::Kind::string));
}

// A `foreach` over so many items, half of them with an output of 1 KiB.
asio::awaitable<void> run_items(World& world, Running run, std::size_t count) {
  std::vector<store::HistoryEntry> batch;
  for (std::size_t item = 0; item < count; ++item) {
    const auto path = fmt::format("each[{}]", item);
    std::optional<Bytes> output;
    if (item % 2 == 0) {
      const auto record = store::step_record(run.job, path, 1);
      output = co_await seal(world, run.tenant.org, "steps", "output", record, to_json(Value(std::string(1'022, 'x'))));
    }
    batch.push_back({item + 1, world.clock.wall(),
                     store::StepFinished{.path = path, .attempt = 1, .sealed_output = std::move(output)}});
    if (batch.size() < 1'000 && item + 1 < count) continue;
    must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::exchange(batch, {})));
  }
}

ASYNC_TEST_CASE("25,000 steps come in bounded pages, none twice and none lost", "[api][jobs][limits]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  constexpr std::size_t kSteps = 25'000;
  co_await run_items(world, run, kSteps);
  const auto place = "/v1/jobs/" + run.job.value + "/steps";
  const auto owner = run.tenant.token(Role::owner);
  const auto first = co_await world.call({"GET", place, owner});
  CHECK(misfit("StepPage", json_of(first)) == "");
  CHECK(items_of(first).size() == 200);
  std::size_t seen = 0;
  std::string query = "?payloads=without&limit=1000";
  for (std::string cursor = query; !cursor.empty();) {
    const auto page = co_await world.call({"GET", place + cursor, owner});
    REQUIRE(page.status == 200);
    CHECK(page.body.size() < (1u << 20));
    CHECK(page.body.find("xxxx") == std::string::npos);
    for (const auto& step : items_of(page)) {
      if (text_of(step, "path") != fmt::format("each[{}]", seen++)) FAIL("step " << seen << " is not where it belongs");
    }
    const auto next = text_of(json_of(page), "next");
    cursor = next.empty() ? "" : query + "&cursor=" + percent_encode(next);
  }
  CHECK(seen == kSteps);
  const auto whole = co_await world.call({"GET", place + "?limit=1000", owner});
  CHECK(whole.body.size() < (2u << 20));
  CHECK(text_of(items_of(whole).at(998), "output").size() == 1'022);
  const auto too_many = co_await world.call({"GET", place + "?limit=1001", owner});
  CHECK(too_many.status == 400);
  const auto foreign = co_await world.call({"GET", place + "?cursor=nonsense", owner});
  CHECK(foreign.status == 422);
}

ASYNC_TEST_CASE("a live view of 25,000 steps loses none", "[api][jobs][watch][limits]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  constexpr std::size_t kSteps = 25'000;
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  const auto begin = co_await collect(*source, 1);
  CHECK(names_of(begin) == "job ");
  co_await run_items(world, run, kSteps);
  co_await report(world, run, kSteps + 1, store::JobFinished{domain::JobState::succeeded, {}});
  const auto told = co_await collect(*source, kSteps + 10);
  std::uint64_t seq = 0;
  for (const auto& event : told) {
    if (!event.id.empty() && event.id != std::to_string(++seq)) FAIL("event " << seq << " is missing");
  }
  CHECK(seq == kSteps + 1);
  REQUIRE(!told.empty());
  CHECK(told.back().name == "end");
}

ASYNC_TEST_CASE("events are read in order and from where one left off", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  co_await report(world, run, 1, store::JobStarted{});
  auto text = co_await seal(world, run.tenant.org, "history", "text", store::entry_record(run.job, 1, 2), "log-canary");
  co_await report(world, run, 2, store::StepLog{"rows", "info", std::move(text)});
  const auto place = "/v1/jobs/" + run.job.value + "/events";
  const auto all = json_of(co_await world.call({"GET", place, run.tenant.token(Role::viewer)}));
  REQUIRE(all.find("items")->as_list().size() == 2);
  CHECK(text_of(all.find("items")->as_list()[1], "text") == "log-canary");
  CHECK(all.find("after")->as_int() == 2);
  const auto rest = json_of(co_await world.call({"GET", place + "?after=1&limit=5", run.tenant.token(Role::viewer)}));
  CHECK(rest.find("items")->as_list().size() == 1);
  const auto none = json_of(co_await world.call({"GET", place + "?after=2", run.tenant.token(Role::viewer)}));
  CHECK(none.find("after")->as_int() == 2);
}

ASYNC_TEST_CASE("a job is watched live to its end", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  const auto first = co_await collect(*source, 1);
  CHECK(names_of(first) == "job ");
  CHECK(first[0].data.find("\"state\":\"dispatched\"") != std::string::npos);

  co_await report(world, run, 1, store::JobStarted{});
  const auto started = co_await collect(*source, 2);
  CHECK(names_of(started) == "job job.started#1 ");
  co_await report_step(world, run, 2, R"({"rows":3})");
  const auto step = co_await collect(*source, 2);
  CHECK(names_of(step) == "step.started#2 step.finished#3 ");
  CHECK(step[1].data.find("rows") != std::string::npos);
  co_await report(world, run, 4, store::JobFinished{domain::JobState::succeeded, {}});
  const auto last = co_await collect(*source, 10);
  CHECK(names_of(last) == "job job.finished#4 end ");
}

ASYNC_TEST_CASE("a watcher resumes after the last event it saw", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  co_await report(world, run, 1, store::JobStarted{});
  co_await report_step(world, run, 2, R"({"rows":3})");
  co_await report(world, run, 4, store::JobFinished{domain::JobState::failed, {"connection", {}, "rows"}});
  auto resumed = co_await watch(world, run, run.tenant.token(Role::viewer), "2");
  const auto events = co_await collect(*resumed, 10);
  CHECK(names_of(events) == "job step.finished#3 job.finished#4 end ");
  auto whole = co_await watch(world, run, run.tenant.token(Role::viewer), "not-a-number");
  const auto all = co_await collect(*whole, 10);
  CHECK(names_of(all) == "job job.started#1 step.started#2 step.finished#3 job.finished#4 end ");
}

ASYNC_TEST_CASE("a long history is told whole, in batches", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  std::vector<store::HistoryEntry> entries;
  for (std::uint64_t seq = 1; seq <= 250; ++seq) {
    auto text = co_await seal(world, run.tenant.org, "history", "text", store::entry_record(run.job, 1, seq), "line");
    entries.push_back({seq, world.clock.wall(), store::StepLog{"rows", "info", std::move(text)}});
  }
  must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::move(entries)));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  const auto events = co_await collect(*source, 251);
  REQUIRE(events.size() == 251);
  for (std::size_t i = 1; i < events.size(); ++i) CHECK(events[i].id == std::to_string(i));
}

ASYNC_TEST_CASE("a quiet stream proves that it lives, and ends with its token", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  co_await collect(*source, 1);
  const auto beat = co_await source->next(std::chrono::steady_clock::now() + 20ms);
  REQUIRE(beat);
  CHECK(beat->name.empty());
  world.clock.advance(std::chrono::hours(25));  // the token expires
  const auto bye = co_await source->next(std::chrono::steady_clock::now() + 20ms);
  REQUIRE(bye);
  CHECK(bye->name == "closed");
  const auto over = co_await source->next(std::chrono::steady_clock::now() + 20ms);
  CHECK_FALSE(over);
}

ASYNC_TEST_CASE("a watcher that is too slow is told so", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  co_await collect(*source, 1);
  for (std::uint64_t i = 0; i < 2000; ++i) world.feed.publish(run.tenant.org, run.recipe, {run.job, i});
  std::string last;
  for (int i = 0; i < 2000 && last != "dropped"; ++i) {
    const auto event = co_await source->next(std::chrono::steady_clock::now() + 1s);
    if (!event) break;
    last = event->name;
  }
  CHECK(last == "dropped");
}

ASYNC_TEST_CASE("a busy stream ends with its token too", "[api][jobs][watch]") {
  World world(co_await asio::this_coro::executor);
  world.clock.freeze();
  const auto run = co_await run_job(world, co_await world.settle("a"));
  auto source = co_await watch(world, run, run.tenant.token(Role::viewer));
  co_await collect(*source, 1);
  co_await report(world, run, 1, store::JobStarted{});
  const auto before = co_await collect(*source, 2);
  CHECK(names_of(before) == "job job.started#1 ");
  world.clock.advance(std::chrono::hours(25));  // the token expires
  co_await report_step(world, run, 2, "{}");
  const auto after = co_await collect(*source, 5);
  CHECK(names_of(after) == "closed ");
}

ASYNC_TEST_CASE("log text that the caller may not see is not read for them", "[api][jobs][payload]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  std::vector<store::HistoryEntry> entries;
  for (std::uint64_t seq = 1; seq <= 40; ++seq) {
    const std::string line(64u << 10, 'x');
    auto text = co_await seal(world, run.tenant.org, "history", "text", store::entry_record(run.job, 1, seq), line);
    entries.push_back({seq, world.clock.wall(), store::StepLog{"rows", "info", std::move(text)}});
  }
  must(co_await world.stores.history.append(run.tenant.org, run.job, 1, std::move(entries)));
  const auto path = "/v1/jobs/" + run.job.value + "/events?limit=1000";
  const auto bounded = co_await world.call({"GET", path, run.tenant.token(Role::viewer)});
  CHECK(items_of(bounded).size() == 15);
  CHECK(misfit("EventList", json_of(bounded)) == "");
  CHECK(bounded.body.size() < (2u << 20));
  std::size_t told = 0;
  for (std::int64_t after = 0; told < 40;) {
    const auto page =
        json_of(co_await world.call({"GET", fmt::format("{}&after={}", path, after), run.tenant.token(Role::viewer)}));
    if (page.find("items")->as_list().empty()) break;
    told += page.find("items")->as_list().size();
    after = page.find("after")->as_int();
  }
  CHECK(told == 40);
  const auto made = co_await world.call(
      {"POST", "/v1/tokens", run.tenant.token(Role::owner), R"({"name":"n","scopes":["jobs:read"]})"});
  const auto narrow = co_await world.call({"GET", path, text_of(json_of(made), "secret")});
  CHECK(items_of(narrow).size() == 40);
  CHECK(items_of(narrow)[0].find("text")->is_null());
}
