#include "relay/api/api_token.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/broken_ledger.h"
#include "tests/unit/relay/api/answers.h"

#include <fmt/format.h>

// Calls that are made once, however often they are sent.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

ASYNC_TEST_CASE("the same Idempotency-Key does it once", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const Ask ask{"POST", "/v1/groups", owner, R"({"name":"g1"})", {"Idempotency-Key: k-1"}};
  const auto first = co_await world.call(ask);
  CHECK(first.status == 201);
  CHECK(world.news().size() == 1);
  const auto second = co_await world.call(ask);
  CHECK(second.status == 201);
  CHECK(second.body == first.body);
  CHECK(header_of(second, "Idempotent-Replay") == "true");
  CHECK(header_of(second, "Location") == header_of(first, "Location"));
  CHECK(world.news().empty());

  const auto another = co_await world.call({"POST", "/v1/groups", owner, R"({"name":"g2"})", {"Idempotency-Key: k-1"}});
  CHECK(another.status == 422);
  CHECK(code_of(another) == "idempotency_key");
  const auto of_editor = co_await world.call(
      {"POST", "/v1/groups", tenant.token(Role::editor), R"({"name":"g1"})", {"Idempotency-Key: k-1"}});
  CHECK(of_editor.status == 409);  // another token: its own key, so the name is simply taken
}

ASYNC_TEST_CASE("a call that failed before any effect may be repeated with its key", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const Ask ask{"POST", "/v1/groups", owner, R"({"name":"dc1"})", {"Idempotency-Key: k-2"}};
  const auto taken = co_await world.call(ask);
  CHECK(taken.status == 409);
  const auto again = co_await world.call(ask);
  CHECK(again.status == 409);
  CHECK(header_of(again, "Idempotent-Replay").empty());
}

ASYNC_TEST_CASE("a call whose outcome is unknown is not repeated by its key", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const Ask ask{"POST", "/v1/groups", tenant.token(Role::owner), R"({"name":"g1"})", {"Idempotency-Key: k-3"}};
  {
    BrokenLedger broken(world.database());
    const auto unknown = co_await world.call(ask);
    CHECK(unknown.status == 500);
  }
  const auto again = co_await world.call(ask);
  CHECK(again.status == 409);
  CHECK(code_of(again) == "in_progress");
}

ASYNC_TEST_CASE("keys that cannot be honoured are refused", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto secret = co_await world.call({"POST", "/v1/tokens", owner, R"({"name":"t"})", {"Idempotency-Key: k"}});
  CHECK(secret.status == 400);
  const auto spaced = co_await world.call({"POST", "/v1/groups", owner, R"({"name":"g"})", {"Idempotency-Key: a b"}});
  CHECK(spaced.status == 400);
  const auto endless = co_await world.call(
      {"POST", "/v1/groups", owner, R"({"name":"g"})", {"Idempotency-Key: " + std::string(129, 'k')}});
  CHECK(endless.status == 400);
}

ASYNC_TEST_CASE("a stored answer is sealed", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  co_await world.call({"POST",
                       "/v1/users",
                       tenant.token(Role::owner),
                       R"({"name":"Canary Name","email":"c@x.test","role":"viewer"})",
                       {"Idempotency-Key: k"}});
  const auto found = co_await world.stores.idempotency_keys.claim(
      tenant.org, {.key = "no such", .request_hash = Bytes(32), .now = world.clock.wall()});
  CHECK(found);
  std::string files;
  for (const auto* name : {"relay.db", "relay.db-wal"}) files += world.folder.has(name) ? world.folder.read(name) : "";
  CHECK(files.find("idempotency_keys") != std::string::npos);
  CHECK(files.find("\"body\":") == std::string::npos);
}

namespace {

// Claims a key as the API does for this call; the claim's own key.
asio::awaitable<std::string> claim_key(World& world, OrgId org, Ask ask, std::string key) {
  api::Caller caller;
  caller.org = org;
  caller.token = api::parse_token(ask.token)->id;
  http::Request request;
  request.head.method = http::Method::post;
  request.head.target = ask.target;
  request.body = ask.body;
  const auto keyed = api::keyed_request(caller, key, request);
  const auto print = must(co_await world.fingerprints.of(org, "request", std::string(as_text(keyed.request_hash))));
  must(co_await world.stores.idempotency_keys.claim(
      org, {keyed.key, Bytes(print.begin(), print.end()), world.clock.wall()}));
  co_return keyed.key;
}

asio::awaitable<std::size_t> count_jobs(World& world, std::string token) {
  const auto listed = co_await world.call({"GET", "/v1/jobs", std::move(token)});
  co_return items_of(listed).size();
}

}  // namespace

// The relay dies when the job is committed and its answer is not.
ASYNC_TEST_CASE("a keyed start or re-run that lost its answer with its relay is still one job",
                "[api][idempotency][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto owner = tenant.token(Role::owner);
  const auto targets = co_await world.make_targets(tenant);
  const Ask start{
      "POST", "/v1/jobs", owner, fmt::format(R"({{"recipe":"{}"}})", targets.recipe.value), {"Idempotency-Key: k1"}};
  const Ask rerun{
      "POST", fmt::format("/v1/jobs/{}/rerun", targets.ended_job.value), owner, "{}", {"Idempotency-Key: k2"}};
  const auto start_key = co_await claim_key(world, tenant.org, start, "k1");
  const auto rerun_key = co_await claim_key(world, tenant.org, rerun, "k2");
  const auto started = must(co_await world.job_service.start(tenant.org,
                                                             {.recipe = targets.recipe,
                                                              .version = std::nullopt,
                                                              .inputs = Value(ValueMap{}),
                                                              .event_key = "",
                                                              .request_key = start_key},
                                                             {"test"}));
  const auto rerun_job = must(co_await world.job_service.rerun(
      tenant.org, {.job = targets.ended_job, .from_step = "", .request_key = rerun_key}, {"test"}));
  const auto before = co_await count_jobs(world, owner);
  const auto early = co_await world.call(start);
  CHECK(code_of(early) == "in_progress");

  world.clock.advance(std::chrono::minutes(6));
  const auto again = co_await world.call(start);
  CHECK(again.status == 202);
  CHECK(text_of(json_of(again), "id") == started.job.id.value);
  const auto rerun_again = co_await world.call(rerun);
  CHECK(rerun_again.status == 202);
  CHECK(text_of(json_of(rerun_again), "id") == rerun_job.id.value);
  const auto after = co_await count_jobs(world, owner);
  CHECK(after == before);
  const auto replayed = co_await world.call(start);
  CHECK(header_of(replayed, "Idempotent-Replay") == "true");
}

ASYNC_TEST_CASE("keys whose time is over are swept, however many", "[api][idempotency]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  auto& keys = world.stores.idempotency_keys;
  for (int i = 0; i < 600; ++i) {
    must(co_await keys.claim(tenant.org, {std::to_string(i), Bytes(32), world.clock.wall()}));
  }
  world.clock.advance(store::kIdempotencyLife);
  must(co_await keys.claim(tenant.org, {"fresh", Bytes(32), world.clock.wall()}));
  TaskGroup work(co_await asio::this_coro::executor, [](const std::string&, const std::string&) {});
  work.spawn("sweep", api::sweep_expired_keys(keys, world.clock, world.log));
  std::size_t left = 1;
  for (int tries = 0; tries < 200 && left > 0; ++tries) {
    co_await sleep_for(std::chrono::milliseconds(10));
    left = must(co_await keys.remove_expired(world.clock.wall(), 1));
  }
  CHECK(left == 0);
  work.stop();
  co_await work.join();
  const auto fresh = must(co_await keys.claim(tenant.org, {"fresh", Bytes(32), world.clock.wall()}));
  CHECK(std::holds_alternative<store::InProgress>(fresh));
}
