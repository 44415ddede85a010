#include "relay/jobs/sealing.h"
#include "shared/base/json.h"
#include "shared/base/percent.h"
#include "shared/crypto/digest.h"
#include "shared/crypto/new_id.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/running_job.h"

#include <fmt/format.h>

// Jobs and their history, with payloads as they are stored: sealed.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::Role;

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

ASYNC_TEST_CASE("a dry run is started, shown and listed as one", "[api][jobs][dry]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto editor = tenant.token(Role::editor);
  const auto recipe = co_await world.apply_recipe(tenant, "orders", recipe_yaml("orders"));
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  for (const auto& [more, dry] :
       {std::pair{"", false}, std::pair{R"(,"dry_run":false)", false}, std::pair{R"(,"dry_run":true)", true}}) {
    const auto body = fmt::format(R"({{"recipe_name":"orders"{}}})", more);
    const auto started = co_await world.call({"POST", "/v1/jobs", editor, body});
    REQUIRE(started.status == 202);
    CHECK(json_of(started).find("dry_run")->as_bool() == dry);
    const auto shown = co_await world.call({"GET", "/v1/jobs/" + text_of(json_of(started), "id"), editor});
    CHECK(json_of(shown).find("dry_run")->as_bool() == dry);
  }
  const auto no_flag = co_await world.call({"POST", "/v1/jobs", editor, R"({"recipe_name":"orders","dry_run":"yes"})"});
  CHECK(no_flag.status == 422);
  const auto keyed =
      co_await world.call({"POST", "/v1/jobs", editor, R"({"recipe_name":"orders","dry_run":true,"event_key":"e"})"});
  CHECK(keyed.status == 422);
}

ASYNC_TEST_CASE("what a dry run did with a step is told", "[api][jobs][dry]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  for (const auto* plan : {"planned", ""}) {
    const auto seq = std::uint64_t{*plan == '\0' ? 2u : 1u};
    store::StepFinished finished{.path = "s" + std::to_string(seq), .uses = "file.write@1", .plan = plan};
    co_await report(world, run, seq, std::move(finished));
  }
  const auto answer =
      co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/steps", run.tenant.token(Role::editor)});
  const auto steps = json_of(answer).find("items")->as_list();
  REQUIRE(steps.size() == 2);
  CHECK(text_of(steps[0], "plan") == "planned");
  CHECK(steps[1].find("plan")->is_null());
}

ASYNC_TEST_CASE("a start's priority is its own, 0 too, or else the recipe's", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto recipe = co_await world.apply_recipe(tenant, "urgent", recipe_yaml("urgent") + "priority: 5\n");
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  for (const auto& [more, priority] :
       {std::pair{"", 5}, std::pair{R"(,"priority":0)", 0}, std::pair{R"(,"priority":9)", 9}}) {
    const auto body = fmt::format(R"({{"recipe_name":"urgent"{}}})", more);
    const auto answer = co_await world.call({"POST", "/v1/jobs", tenant.token(Role::editor), body});
    REQUIRE(answer.status == 202);
    CHECK(json_of(answer).find("priority")->as_int() == priority);
  }
  for (const auto* wrong : {"-1", "10", "null", "\"5\""}) {
    const auto body = fmt::format(R"({{"recipe_name":"urgent","priority":{}}})", wrong);
    const auto answer = co_await world.call({"POST", "/v1/jobs", tenant.token(Role::editor), body});
    CHECK(answer.status == 422);
    CHECK(answer.body.find("/priority") != std::string::npos);
  }
}

namespace {

// As it is, whether this program takes it or not.
asio::awaitable<RecipeId> store_recipe(World& world, Tenant tenant, std::string name, std::string canonical) {
  const auto digest = crypto::sha256(canonical);
  store::NewRecipeVersion version{.id_if_new = crypto::new_id<RecipeId>(world.clock),
                                  .name = std::move(name),
                                  .run_on = "dc1",
                                  .trigger = "manual",
                                  .source_yaml = canonical,
                                  .canonical_json = canonical,
                                  .sha256 = Bytes(digest.begin(), digest.end()),
                                  .created_by = tenant.users.at(Role::owner),
                                  .created_at = world.clock.wall()};
  co_return must(co_await world.stores.recipes.apply(tenant.org, std::move(version))).recipe.id;
}

}  // namespace

ASYNC_TEST_CASE("what a recipe masks of its trigger is shown to nobody, and all of it when the recipe cannot be read",
                "[api][jobs][mask]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto yaml =
      recipe_yaml("masked") + "inputs: {card: {type: text, mask: true}, person: {type: map}, day: {type: text}}\n";
  const auto with_path = std::string(yaml).replace(yaml.find("manual@1"), 8, "manual@1, mask: [inputs.person.email]");
  const auto recipe = co_await world.apply_recipe(tenant, "masked", with_path);
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  const auto owner = tenant.token(Role::owner);
  const auto started = co_await world.call(
      {"POST", "/v1/jobs", owner,
       R"({"recipe_name":"masked","inputs":{"card":"canary","person":{"email":"canary","name":"ann"},"day":"friday"}})"});
  REQUIRE(started.status == 202);
  CHECK(started.body.find("canary") == std::string::npos);
  const auto id = text_of(json_of(started), "id");
  const auto trigger = "/v1/jobs/" + id + "/trigger";
  const auto seen = co_await world.call({"GET", trigger, owner});
  CHECK(to_json(*json_of(seen).find("trigger")) ==
        R"({"inputs":{"card":"***","day":"friday","person":{"email":"***","name":"ann"}},"kind":"manual"})");

  // The store keeps all of it, for running the job again.
  const auto sealed = must(co_await world.stores.jobs.sealed_trigger(tenant.org, JobId(id)));
  const auto plain = must(co_await world.envelope.open(jobs::trigger_identity(tenant.org, JobId(id)), sealed));
  CHECK(plain.reveal().find("canary") != std::string_view::npos);

  // A version of a later program: what it masks is not known here.
  auto later = must(co_await world.stores.recipes.version(tenant.org, recipe, 1)).canonical_json;
  later.replace(later.find("inputs.person.email"), 19, "inputs[0]");
  auto job = must(co_await world.stores.jobs.find(tenant.org, JobId(id)));
  job.recipe = co_await store_recipe(world, tenant, "later", later);
  const JobId other = crypto::new_id<JobId>(world.clock);
  job.id = other;
  auto keys = must(co_await world.envelope.make_job_keys(tenant.org, other, {}));
  auto resealed =
      must(co_await world.envelope.seal_new(keys, jobs::trigger_identity(tenant.org, other), as_bytes(plain.reveal())));
  must(co_await world.stores.jobs.add(
      tenant.org, {.job = job, .sealed_trigger = std::move(resealed), .keys = std::move(keys.wrapped)}));
  const auto hidden = co_await world.call({"GET", "/v1/jobs/" + other.value + "/trigger", owner});
  CHECK(hidden.status == 200);
  CHECK(to_json(*json_of(hidden).find("trigger")) == R"("***")");
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
  auto elsewhere =
      co_await seal(world, jobs::step_identity(run.tenant.org, "output", run.job, "another", 1), R"({"x":1})");
  co_await report(world, run, 1, store::StepStarted{"rows", 1, "sql.query@1", std::nullopt});
  co_await report(world, run, 2,
                  store::StepFinished{
                      .path = "rows", .attempt = 1, .sealed_output = std::move(elsewhere), .retry_at = std::nullopt});
  const auto steps =
      co_await world.call({"GET", "/v1/jobs/" + run.job.value + "/steps", run.tenant.token(Role::owner)});
  const auto step = items_of(steps).at(0);
  CHECK(step.find("input")->is_null());
  CHECK(step.find("output")->find("$unreadable") != nullptr);
  CHECK(text_of(*step.find("output"), "code") == "damaged");  // it is another record's
}

ASYNC_TEST_CASE("data whose key is gone before its time is not taken for expired", "[api][jobs][payload][keys]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  const auto path = "/v1/jobs/" + run.job.value + "/trigger";
  const auto code = [&]() -> asio::awaitable<std::string> {
    const auto seen = json_of(co_await world.call({"GET", path, run.tenant.token(Role::owner)}));
    co_return text_of(*seen.find("trigger"), "code");
  };
  CHECK((co_await code()).empty());  // control: it is read
  co_await report(world, run, 1, store::JobFinished{domain::JobState::failed, {}});
  must(co_await world.ring.store->begin_lanes_anew(world.ring.anchor.epoch()));  // as in a restore that accepts it
  world.ring.hierarchy.forget(run.tenant.org);
  CHECK(co_await code() == "given_up");
  const auto next = co_await run_job(world, run.tenant);  // in the same hour
  CHECK(co_await code() == "given_up");
  const auto seen =
      json_of(co_await world.call({"GET", "/v1/jobs/" + next.job.value + "/trigger", run.tenant.token(Role::owner)}));
  CHECK(text_of(*seen.find("trigger"), "code").empty());
  const auto path_of_rerun = "/v1/jobs/" + run.job.value + "/rerun";
  const auto again = co_await world.call({"POST", path_of_rerun, run.tenant.token(Role::owner), "{}"});
  CHECK(again.status == 409);
  CHECK(again.body.find("was lost and given up") != std::string::npos);
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
  const auto history = json_of(co_await world.call({"GET", place + "/events", reader}));
  CHECK(misfit("EventList", history) == "");
  const auto end = history.find("items")->as_list().at(0);
  CHECK(text_of(end, "kind") == "step.finished");
  CHECK(text_of(end, "error_class") == "connection");
  CHECK(text_of(end, "message") == "no order 4711");
  CHECK(text_of(history.find("items")->as_list().at(1), "error_class").empty());
  const auto live = co_await watch(world, run, reader);
  const auto told = co_await collect(*live, 10);
  REQUIRE(told.size() == 4);
  CHECK(must(parse_json(told[0].data)) == job);
  CHECK(must(parse_json(told[1].data)) == end);
  CHECK(world.sink.text.find("4711") == std::string::npos);
}

ASYNC_TEST_CASE("a message that does not open is said to be unreadable, and hides nothing else", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto good = co_await run_job(world, tenant), changed = co_await run_job(world, tenant),
             moved = co_await run_job(world, tenant), keyless = co_await run_job(world, tenant);
  co_await fail_with(world, good, std::nullopt, co_await sealed_error(world, good, "told"));
  auto bytes = co_await sealed_error(world, changed, "told");
  bytes.back() ^= std::byte{1};
  co_await fail_with(world, changed, bytes, bytes);
  co_await fail_with(world, moved, std::nullopt, co_await sealed_error(world, good, "told"));
  const auto identity = jobs::error_identity(tenant.org, keyless.job);
  auto foreign = must(co_await jobs::seal_error(world.envelope, identity, "told"));
  (*foreign)[5] = std::byte{99};  // a version of the global key that is not here
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
  CHECK(whys[keyless.job.value] == "its key cannot be had now: look at `sallyport keys show`");
  const auto first = world.sink.text.find("record.unreadable");
  CHECK(first != std::string::npos);
  CHECK(world.sink.text.find("record.unreadable", first + 1) == std::string::npos);  // once an answer

  const auto steps =
      co_await world.call({"GET", "/v1/jobs/" + keyless.job.value + "/steps", tenant.token(Role::viewer)});
  CHECK(misfit("StepPage", json_of(steps)) == "");
  CHECK(text_of(*items_of(steps).at(0).find("message"), "code") == "key_unavailable");
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
    auto output = co_await seal(world, jobs::step_identity(run.tenant.org, "output", run.job, path, 1), large);
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
  CHECK(foreign.status == 400);
}

ASYNC_TEST_CASE("events are read in order and from where one left off", "[api][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  co_await report(world, run, 1, store::JobStarted{});
  auto text = co_await seal(world, jobs::log_identity(run.tenant.org, run.job, 1, 2), "log-canary");
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

ASYNC_TEST_CASE("log text that the caller may not see is not read for them", "[api][jobs][payload]") {
  World world(co_await asio::this_coro::executor);
  const auto run = co_await run_job(world, co_await world.settle("a"));
  std::vector<store::HistoryEntry> entries;
  for (std::uint64_t seq = 1; seq <= 40; ++seq) {
    const std::string line(64u << 10, 'x');
    auto text = co_await seal(world, jobs::log_identity(run.tenant.org, run.job, 1, seq), line);
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
