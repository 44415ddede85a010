#include "shared/base/json.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/response_schema.h"

#include <fmt/format.h>

// How long data is kept: of an organisation, of the platform, of a recipe's jobs.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;
using namespace std::chrono_literals;

namespace {

const std::string kOurs = "/v1/retention", kPlatform = "/v1/platform/retention";

Ask put(const std::string& place, const std::string& token, std::string body, const std::string& tag = "") {
  Ask ask{"PUT", place, token, std::move(body)};
  if (!tag.empty()) ask.headers = {"If-Match: " + tag};
  return ask;
}

// "30d/45d/30d": what is set, allowed and in effect.
std::string term(const http::Response& answer, std::string_view one) {
  const auto shown = json_of(answer);
  const auto& term = *shown.find(one);
  const auto* set = term.find("set");
  return fmt::format("{}/{}/{}", set->is_null() ? "-" : set->as_string(), text_of(term, "allowed"),
                     text_of(term, "in_effect"));
}

std::string detail_of(const Seen& row) { return to_json(*row.event.find("detail")); }

std::string keeping(std::string_view name, std::string_view retention) {
  return fmt::format("retention: {}\n{}", retention, recipe_yaml(name));
}

}  // namespace

ASYNC_TEST_CASE("what an organisation keeps is the platform's until it sets less", "[api][retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto other = co_await world.settle("b");
  const auto& owner = tenant.token(Role::owner);
  const auto before = co_await world.call({.target = kOurs, .token = tenant.token(Role::viewer)});
  CHECK(before.status == 200);
  CHECK(misfit("Retention", json_of(before)) == "");
  CHECK(term(before, "payload") == "-/45d/45d");
  CHECK(term(before, "logs") == "-/14d/14d");
  CHECK(term(before, "audit") == "-/365d/365d");
  CHECK(term(before, "archive") == "-/3650d/3650d");
  CHECK(json_of(before).find("server_logs") == nullptr);

  static_cast<void>(world.news());
  const auto set = co_await world.call(put(kOurs, owner, R"({"payload":"30d","logs":"36h","shorten":"confirmed"})"));
  REQUIRE(set.status == 200);
  CHECK(term(set, "payload") == "30d/45d/30d");
  CHECK(term(set, "logs") == "36h/14d/36h");
  const auto rows = world.news();
  REQUIRE(rows.size() == 1);
  CHECK(text_of(rows[0].event, "action") == "retention.set");
  CHECK(detail_of(rows[0]).find(R"("payload":{"is":"30d","was":null})") != std::string::npos);
  CHECK(world.retention_changed == std::vector<OrgId>{tenant.org});

  const auto none = co_await world.call(put(kOurs, owner, R"({"payload":"none","logs":null,"shorten":"confirmed"})"));
  CHECK(term(none, "payload") == "none/45d/none");
  CHECK(term(none, "logs") == "-/14d/14d");  // what is not named is not set any more
  const auto theirs = co_await world.call({.target = kOurs, .token = other.token(Role::owner)});
  CHECK(term(theirs, "payload") == "-/45d/45d");
}

ASYNC_TEST_CASE("nothing is kept for less than before without a word of its own", "[api][retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  const auto& owner = tenant.token(Role::owner);
  static_cast<void>(world.news());
  for (const auto& [place, token] : {std::pair(kOurs, owner), std::pair(kPlatform, admin)}) {
    const auto refused = co_await world.call(put(place, token, R"({"payload":"30d","logs":"7d"})"));
    CHECK(refused.status == 422);
    CHECK(refused.body.find("/shorten") != std::string::npos);
    CHECK(refused.body.find("payload would be kept for 30d instead of 45d, logs would be kept for 7d instead of 14d") !=
          std::string::npos);
    const auto unsure = co_await world.call(put(place, token, R"({"payload":"30d","shorten":"yes"})"));
    CHECK(unsure.status == 422);
  }
  for (const auto& row : world.news()) CHECK(text_of(row.event, "outcome") == "failed");
  const auto longer = co_await world.call(put(kPlatform, admin, R"({"payload":"90d"})"));
  INFO(longer.body);
  REQUIRE(longer.status == 200);
  CHECK(term(longer, "payload") == "90d/3650d/90d");
  const auto back = co_await world.call(put(kPlatform, admin, "{}"));  // the default is less
  CHECK(back.status == 422);
  const auto same = co_await world.call(put(kOurs, owner, R"({"payload":"90d"})"));
  CHECK(same.status == 200);
  CHECK(term(same, "payload") == "90d/90d/90d");
}

ASYNC_TEST_CASE("no organisation sets more than the platform allows, and a platform that allows less prevails",
                "[api][retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  const auto& owner = tenant.token(Role::owner);
  const auto refused = co_await world.call(put(kOurs, owner, R"({"payload":"46d"})"));
  CHECK(refused.status == 422);
  CHECK(refused.body.find("must be at most 45d: the platform keeps nothing longer") != std::string::npos);
  CHECK((co_await world.call(put(kOurs, owner, R"({"payload":"40d","shorten":"confirmed"})"))).status == 200);
  CHECK((co_await world.call(put(kPlatform, admin, R"({"payload":"10d","shorten":"confirmed"})"))).status == 200);
  const auto now = co_await world.call({.target = kOurs, .token = owner});
  CHECK(term(now, "payload") == "40d/10d/10d");
  const auto kept = co_await world.call(put(kOurs, owner, R"({"payload":"40d","logs":"14d"})"));
  CHECK(kept.status == 200);  // what was set before may stay
}

ASYNC_TEST_CASE("what is no retention is refused at its place", "[api][retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  struct Row {
    std::string place, token, body, says;
  };
  const auto& owner = tenant.token(Role::owner);
  for (const auto& row : {Row{kOurs, owner, R"({"payload":"90m"})", "must be whole hours"},
                          Row{kOurs, owner, R"({"payload":"0h"})", "must be from 1h to 3650d"},
                          Row{kOurs, owner, R"({"logs":"none"})", "only payload may be none"},
                          Row{kOurs, owner, R"({"logs":14})", "must be text"},
                          Row{kOurs, owner, R"({"server_logs":"1d"})", "unknown member"},
                          Row{kPlatform, admin, R"({"payload":"none"})", "only an organisation or a recipe"},
                          Row{kPlatform, admin, R"({"logs":"3651d"})", "must be from 1h to 3650d"}}) {
    INFO(row.body);
    const auto refused = co_await world.call(put(row.place, row.token, row.body));
    CHECK(refused.status == 422);
    CHECK(refused.body.find(row.says) != std::string::npos);
  }
}

ASYNC_TEST_CASE("a retention that somebody else changed is not overwritten", "[api][retention]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto admin = co_await world.platform_token();
  for (const auto& [place, token] : {std::pair(kOurs, tenant.token(Role::owner)), std::pair(kPlatform, admin)}) {
    const auto seen = header_of(co_await world.call({.target = place, .token = token}), "ETag");
    REQUIRE_FALSE(seen.empty());
    const auto first = co_await world.call(put(place, token, R"({"logs":"14d"})", seen));
    CHECK(first.status == 200);
    CHECK(header_of(first, "ETag") != seen);
    CHECK((co_await world.call(put(place, token, R"({"logs":"13d","shorten":"confirmed"})", seen))).status == 412);
    CHECK((co_await world.call(put(place, token, R"({"logs":"14d"})", header_of(first, "ETag")))).status == 200);
  }
}

ASYNC_TEST_CASE("a recipe that asks for more than is kept is told where and how much", "[api][retention][recipes]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& owner = tenant.token(Role::owner);
  const auto ask = [&](std::string path, std::string_view retention) {
    const Value body(ValueMap{{Value("yaml"), Value(keeping("keeper", retention))}});
    return Ask{"POST", std::move(path), tenant.token(Role::editor), to_json(body)};
  };
  for (const auto* path : {"/v1/recipes", "/v1/recipes/validate"}) {
    const auto refused = co_await world.call(ask(path, "{logs: 15d, payload: 46d}"));
    CHECK(refused.status == 422);
    const auto errors = json_of(refused).find("errors")->as_list();
    REQUIRE(errors.size() == 2);
    CHECK(to_json(errors[0]).find("retention-too-long") != std::string::npos);
    CHECK(to_json(errors[0]).find("1:19") != std::string::npos);
    CHECK(to_json(errors[0]).find("`logs` must be at most 14d: the platform keeps nothing longer") !=
          std::string::npos);
    CHECK(to_json(errors[1]).find("`payload` must be at most 45d") != std::string::npos);
  }
  CHECK((co_await world.call(ask("/v1/recipes", "{logs: 14d, payload: 45d}"))).status == 201);
  CHECK((co_await world.call(put(kOurs, owner, R"({"payload":"2h","shorten":"confirmed"})"))).status == 200);
  const auto refused = co_await world.call(ask("/v1/recipes", "{payload: 3h}"));
  CHECK(refused.body.find("`payload` must be at most 2h: the organisation keeps nothing longer") != std::string::npos);
}

ASYNC_TEST_CASE("a job tells how long its data is kept, by the rules of its making and those of now",
                "[api][retention][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& owner = tenant.token(Role::owner);
  const auto recipe = co_await world.apply_recipe(tenant, "keeper", keeping("keeper", "{payload: 90m}"));
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  const auto job = co_await world.start(tenant, recipe);
  const auto retention_of = [&]() -> asio::awaitable<std::string> {
    const auto answer = co_await world.call({.target = "/v1/jobs/" + job.value, .token = owner});
    CHECK(misfit("Job", json_of(answer)) == "");
    co_return to_json(*json_of(answer).find("retention")->find("payload"));
  };
  CHECK(co_await retention_of() == R"({"expired":false,"expires_at":null,"kept":"2h"})");

  CHECK((co_await world.call({"POST", "/v1/jobs/" + job.value + "/cancel", owner, "{}"})).status == 202);
  const auto ended = world.clock.wall();
  const auto expiry = rfc3339(*domain::expiry_of(ended, 2h));
  CHECK(co_await retention_of() == fmt::format(R"({{"expired":false,"expires_at":"{}","kept":"2h"}})", expiry));

  CHECK((co_await world.call(put(kOurs, owner, R"({"payload":"1h","shorten":"confirmed"})"))).status == 200);
  const auto earlier = rfc3339(*domain::expiry_of(ended, 1h));
  CHECK(co_await retention_of() == fmt::format(R"({{"expired":false,"expires_at":"{}","kept":"1h"}})", earlier));
  world.clock.advance(2h);
  CHECK(co_await retention_of() == fmt::format(R"({{"expired":true,"expires_at":"{}","kept":"1h"}})", earlier));
  CHECK((co_await world.call(put(kOurs, owner, R"({"payload":"none","shorten":"confirmed"})"))).status == 200);
  CHECK(co_await retention_of() == R"({"expired":true,"expires_at":null,"kept":"none"})");
}

ASYNC_TEST_CASE("a job whose payload's time is over says so, and when, whoever wants to see or repeat it",
                "[api][retention][jobs]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("a");
  const auto& owner = tenant.token(Role::owner);
  const auto recipe = co_await world.apply_recipe(tenant, "keeper", keeping("keeper", "{payload: 2h}"));
  must(co_await world.stores.recipes.activate(tenant.org, recipe, {std::nullopt, 1}));
  const auto job = "/v1/jobs/" + (co_await world.start(tenant, recipe)).value;
  CHECK((co_await world.call({"POST", job + "/cancel", owner, "{}"})).status == 202);
  const auto expiry = rfc3339(*domain::expiry_of(world.clock.wall(), 2h));
  const auto payload_of = [&]() -> asio::awaitable<std::string> {
    const auto answer = co_await world.call({.target = job, .token = owner});
    CHECK(misfit("Job", json_of(answer)) == "");
    co_return text_of(json_of(answer), "payload");
  };
  CHECK(co_await payload_of() == "kept");  // positive control
  CHECK((co_await world.call({.target = job + "/trigger", .token = owner})).status == 200);

  world.clock.advance(4h);
  const auto hour = store::hour_of(world.clock.wall());
  must(co_await world.stores.job_keys.purge(tenant.org, {"payload", 2}, hour, 100));
  CHECK(co_await payload_of() == "expired");
  const auto seen = co_await world.call({.target = job + "/trigger", .token = owner});
  const auto again = co_await world.call({"POST", job + "/rerun", owner, "{}"});
  for (const auto& refused : {seen, again}) {
    INFO(refused.body);
    CHECK(refused.status == 409);
    CHECK(refused.body.contains("retention of its data ended on " + expiry));
    CHECK(refused.body.contains("start the recipe anew with its data"));
  }
}
