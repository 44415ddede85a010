#include "relay/webhooks/secrets.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

// `POST /hooks/{webhook}`: what starts a job, what does not, and what comes again.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
using domain::Role;

namespace {

constexpr std::string_view kSecret = "a-secret-of-the-senders";

std::string hook_recipe(std::string_view name, std::string_view more = "", std::string_view of_trigger = "") {
  return fmt::format(
      "recipe: {}\nrun_on: dc1\ntrigger: {{uses: webhook@1{}}}\n{}steps:\n  - id: done\n    stop: {{status: succeeded, "
      "message: done}}\n",
      name, of_trigger, more);
}

struct Sent {
  std::string id = "msg_1";
  std::string body = R"({"order":7})";
  std::string secret = std::string(kSecret);
  std::chrono::seconds late{0};
  std::vector<std::string> headers = {};
};

Ask signed_ask(World& world, const std::string& webhook, const Sent& sent) {
  const auto time = std::to_string(unix_ms(world.clock.wall() - sent.late) / 1'000);
  const auto content = sent.id + "." + time + "." + sent.body;
  const auto digest = crypto::hmac_sha256(Secret::take(std::string(sent.secret)), {as_bytes(content)});
  Ask ask{.method = "POST", .target = "/hooks/" + webhook, .body = sent.body, .headers = sent.headers};
  ask.headers.push_back("webhook-id: " + sent.id);
  ask.headers.push_back("webhook-timestamp: " + time);
  ask.headers.push_back("webhook-signature: v1," + base64(digest));
  return ask;
}

// An organisation with a recipe that webhooks start, and one of them.
struct Shop {
  Tenant tenant;
  RecipeId recipe;
  std::string webhook;
};

asio::awaitable<Shop> open_shop(World& world, std::string name, std::string yaml) {
  world.clock.freeze();
  Shop shop{.tenant = co_await world.settle(std::move(name)), .recipe = {}, .webhook = {}};
  shop.recipe = co_await world.apply_recipe(shop.tenant, "orders", std::move(yaml));
  must(co_await world.stores.recipes.activate(shop.tenant.org, shop.recipe, {std::nullopt, 1}));
  shop.webhook = (co_await world.add_webhook(shop.tenant, shop.recipe, std::string(kSecret))).value;
  co_return shop;
}

asio::awaitable<std::size_t> jobs_of(World& world, OrgId org) {
  co_return must(co_await world.stores.jobs.list(org, {}, {})).items.size();
}

}  // namespace

ASYNC_TEST_CASE("a signed request starts a job, and the same delivery again is the same answer and no second job",
                "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  const auto first = co_await world.call(signed_ask(world, shop.webhook, {}));
  INFO(first.body);
  REQUIRE(first.status == 202);
  const auto job = text_of(json_of(first), "job");
  const auto path = "/v1/jobs/" + job;
  const auto shown = json_of(co_await world.call({.target = path, .token = shop.tenant.token(Role::owner)}));
  CHECK(text_of(shown, "trigger") == "webhook");
  CHECK(text_of(shown, "state") == "queued");
  const auto data =
      json_of(co_await world.call({.target = path + "/trigger", .token = shop.tenant.token(Role::owner)}));
  const auto& trigger = *data.find("trigger");
  CHECK(text_of(trigger, "id") == "msg_1");
  CHECK(text_of(trigger, "kind") == "webhook");
  CHECK(text_of(trigger, "webhook") == shop.webhook);
  CHECK(text_of(trigger, "body") == R"({"order":7})");
  CHECK(text_of(trigger, "content_type") == "application/json");
  CHECK(trigger.find("json")->find("order")->as_int() == 7);
  CHECK(trigger.find("base64")->is_null());

  const auto recorded = signed_ask(world, shop.webhook, {});  // byte for byte
  world.clock.advance(2min);
  const auto retried = signed_ask(world, shop.webhook, {});  // signed anew, as senders do that repeat
  for (const auto& again : {recorded, retried}) {
    const auto answer = co_await world.call(again);
    CHECK(answer.status == 202);
    CHECK(answer.body == first.body);
  }
  CHECK(co_await jobs_of(world, shop.tenant.org) == 1);
  const auto other = co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_2"}));
  CHECK(other.status == 202);
  CHECK(other.body != first.body);
  CHECK(co_await jobs_of(world, shop.tenant.org) == 2);
}

ASYNC_TEST_CASE("whoever proves nothing gets the same answer whether there is such a webhook or not",
                "[api][webhooks][security]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  const auto absent = crypto::new_id<WebhookId>(world.clock).value;
  const auto reference = co_await world.call(signed_ask(world, absent, {}));
  CHECK(reference.status == 401);
  CHECK(reference.body.find(absent) == std::string::npos);

  auto other_body = signed_ask(world, shop.webhook, {});
  other_body.body = R"({"order":8})";
  auto unsigned_one = signed_ask(world, shop.webhook, {});
  unsigned_one.headers.clear();
  auto twice = signed_ask(world, shop.webhook, {});
  twice.headers.push_back(twice.headers.back());
  const std::vector<std::pair<std::string, Ask>> doubtful{
      {"another secret", signed_ask(world, shop.webhook, {.secret = "another-secret-of-somebody"})},
      {"another body", other_body},
      {"no signature", unsigned_one},
      {"two signatures' headers", twice},
      {"too old", signed_ask(world, shop.webhook, {.late = 301s})},
      {"of tomorrow", signed_ask(world, shop.webhook, {.late = -301s})},
      {"a dot in the id", signed_ask(world, shop.webhook, {.id = "msg.1"})},
      {"no id at all", signed_ask(world, "x", {})},
      {"absent, unsigned", [&] {
         auto ask = signed_ask(world, absent, {});
         ask.headers.clear();
         return ask;
       }()}};
  for (const auto& [what, ask] : doubtful) {
    const auto answer = co_await world.call(ask);
    INFO(what);
    CHECK(answer.status == 401);
    CHECK(answer.body == reference.body);
    CHECK(answer.headers.fields() == reference.headers.fields());
  }
  CHECK(co_await jobs_of(world, shop.tenant.org) == 0);
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {.late = 299s}))).status == 202);
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_2", .late = -299s}))).status == 202);
  const auto read = co_await world.call({.target = "/hooks/" + shop.webhook});
  CHECK(read.status == 405);
  CHECK(header_of(read, "Allow") == "POST");
}

ASYNC_TEST_CASE("refused deliveries stand in the ledger once, and then as a number", "[api][webhooks][audit]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  static_cast<void>(world.news());
  const auto wrong = [&] { return world.call(signed_ask(world, shop.webhook, {.secret = "another-secret-of-x"})); };
  for (int i = 0; i < 20; ++i) CHECK((co_await wrong()).status == 401);
  auto news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].ledger == shop.tenant.org);
  CHECK(text_of(news[0].event, "action") == "webhook.deliver");
  CHECK(text_of(news[0].event, "outcome") == "refused");
  CHECK(text_of(*news[0].event.find("detail"), "because") == "wrong");
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {.late = 10min}))).status == 401);  // for another reason
  REQUIRE(world.news().size() == 1);
  world.clock.advance(kAuditEvery);
  CHECK((co_await wrong()).status == 401);
  news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].event.find("detail")->find("unsaid")->as_int() == 19);
  const auto absent = crypto::new_id<WebhookId>(world.clock).value;
  CHECK((co_await world.call(signed_ask(world, absent, {}))).status == 401);
  CHECK(world.news().empty());  // it is nobody's

  CHECK((co_await world.call(signed_ask(world, shop.webhook, {}))).status == 202);
  news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news[0].event, "action") == "job.start");
  CHECK(text_of(news[0].event, "actor") == "webhook:" + shop.webhook);
}

ASYNC_TEST_CASE("while a secret is replaced both are good, and then the newest alone", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  const auto rotate = [&](std::string body) {
    return world.call({.method = "POST",
                       .target = "/v1/webhooks/" + shop.webhook + "/rotate",
                       .token = shop.tenant.token(Role::editor),
                       .body = std::move(body)});
  };
  const auto rotated = co_await rotate(R"({"overlap":"1h","secret":"the-second-secret-x"})");
  INFO(rotated.body);
  REQUIRE(rotated.status == 200);
  CHECK(!json_of(rotated).find("old_secret_until")->is_null());
  int count = 0;
  const auto status_with = [&](std::string secret) -> asio::awaitable<int> {
    const auto id = "msg_" + std::to_string(++count);
    co_return (co_await world.call(signed_ask(world, shop.webhook, {.id = id, .secret = std::move(secret)}))).status;
  };
  CHECK(co_await status_with(std::string(kSecret)) == 202);
  CHECK(co_await status_with("the-second-secret-x") == 202);
  world.clock.advance(1h);
  CHECK(co_await status_with(std::string(kSecret)) == 401);
  CHECK(co_await status_with("the-second-secret-x") == 202);
  REQUIRE((co_await rotate(R"({"overlap":"0s","secret":"the-third-secret-xx"})")).status == 200);
  CHECK(co_await status_with("the-second-secret-x") == 401);
  CHECK(co_await status_with("the-third-secret-xx") == 202);
  CHECK((co_await rotate(R"({"overlap":"721h"})")).status == 422);
}

ASYNC_TEST_CASE("bodies that are no JSON reach the recipe as text or base64", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  const auto trigger_of = [&](Sent sent) -> asio::awaitable<Value> {
    const auto answer = co_await world.call(signed_ask(world, shop.webhook, sent));
    if (answer.status != 202) throw std::runtime_error(answer.body);
    const auto path = "/v1/jobs/" + text_of(json_of(answer), "job") + "/trigger";
    const auto data = json_of(co_await world.call({.target = path, .token = shop.tenant.token(Role::owner)}));
    co_return *data.find("trigger");
  };
  const auto text = co_await trigger_of({.id = "a", .body = "plain", .headers = {"Content-Type: text/plain"}});
  CHECK(text_of(text, "body") == "plain");
  CHECK(text_of(text, "content_type") == "text/plain");
  CHECK(text.find("json")->is_null());
  const auto binary = co_await trigger_of({.id = "b", .body = "\xff\xfe"});
  CHECK(binary.find("body")->is_null());
  CHECK(text_of(binary, "base64") == "//4=");
  const auto forged = co_await trigger_of({.id = "c", .body = R"({"x":{"$handle":"file","path":"/etc/shadow"}})"});
  CHECK(forged.find("json")->is_null());  // nothing that opens as a file
  const auto large = co_await world.call(
      signed_ask(world, shop.webhook, {.id = "d", .body = "[\"" + std::string(130u << 10, 'x') + "\"]"}));
  CHECK(large.status == 413);  // text and value
}

ASYNC_TEST_CASE("a sender that signs the body alone is known by it", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  const auto made = co_await world.call(
      {.method = "POST",
       .target = "/v1/webhooks",
       .token = shop.tenant.token(Role::editor),
       .body = R"({"recipe_name":"orders","proof":"signature","secret":"It's-a-Secret-to-Everybody"})"});
  REQUIRE(made.status == 201);
  const auto path = text_of(json_of(made), "path");
  const auto send = [&](std::string body, std::string delivery) {
    const auto digest = crypto::hmac_sha256(Secret::take(std::string("It's-a-Secret-to-Everybody")), {as_bytes(body)});
    return world.call({.method = "POST",
                       .target = path,
                       .body = body,
                       .headers = {"X-Hub-Signature-256: sha256=" + hex(digest), "X-GitHub-Delivery: " + delivery}});
  };
  const auto first = co_await send("Hello, World!", "1");
  REQUIRE(first.status == 202);
  CHECK((co_await send("Hello, World!", "2")).body == first.body);  // recorded, and sent under another name
  CHECK((co_await send("Hello, World?", "3")).body != first.body);
  CHECK((co_await world.call(signed_ask(world, path.substr(7), {.secret = "It's-a-Secret-to-Everybody"}))).status ==
        401);  // another proof than the webhook's
}

ASYNC_TEST_CASE("a delivery that no recipe takes now is refused for now", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  must(co_await world.stores.recipes.activate(shop.tenant.org, shop.recipe, {1, std::nullopt}));
  auto answer = co_await world.call(signed_ask(world, shop.webhook, {}));
  CHECK(answer.status == 503);
  CHECK(!header_of(answer, "Retry-After").empty());
  must(co_await world.stores.recipes.activate(shop.tenant.org, shop.recipe, {std::nullopt, 1}));
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {}))).status == 202);  // nothing was remembered of it

  const auto manual = co_await world.apply_recipe(shop.tenant, "manual", recipe_yaml("manual"));
  must(co_await world.stores.recipes.activate(shop.tenant.org, manual, {std::nullopt, 1}));
  const auto idle = co_await world.add_webhook(shop.tenant, manual, std::string(kSecret));
  CHECK((co_await world.call(signed_ask(world, idle.value, {}))).status == 503);

  const auto by_hand = co_await world.call({.method = "POST",
                                            .target = "/v1/jobs",
                                            .token = shop.tenant.token(Role::owner),
                                            .body = R"({"recipe_name":"orders"})"});
  CHECK(by_hand.status == 422);  // as every recipe that starts by itself
}

ASYNC_TEST_CASE("a recipe's own key takes the place of the delivery's", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop =
      co_await open_shop(world, "shop", hook_recipe("orders", "", ", dedupe: \"${{ trigger.json.order }}\""));
  const auto first = co_await world.call(signed_ask(world, shop.webhook, {}));
  REQUIRE(first.status == 202);
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_2"}))).body == first.body);
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_3", .body = R"({"order":8})"}))).body !=
        first.body);
  const auto without =
      co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_4", .body = R"({"other":"canary"})"}));
  CHECK(without.status == 422);
  CHECK(without.body.find("canary") == std::string::npos);
  const auto none = co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_5", .body = R"({"order":null})"}));
  CHECK(none.status == 422);
}

ASYNC_TEST_CASE("a recipe that skips what comes while it runs says so to the sender", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop =
      co_await open_shop(world, "shop", hook_recipe("orders", "concurrency: {limit: 1, on_conflict: skip}\n"));
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {}))).status == 202);
  const auto skipped = co_await world.call(signed_ask(world, shop.webhook, {.id = "msg_2"}));
  CHECK(skipped.status == 200);
  CHECK(skipped.body == R"({"job":null,"skipped":true})");
  CHECK(co_await jobs_of(world, shop.tenant.org) == 1);
}

ASYNC_TEST_CASE("a delivery for a recipe that keeps nothing, or masks, is in no file",
                "[api][webhooks][zero-retention]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders", "retention: {payload: none}\n"));
  const auto answer =
      co_await world.call(signed_ask(world, shop.webhook, {.id = "canary-4711", .body = "canary-4712"}));
  REQUIRE(answer.status == 202);
  CHECK((co_await world.call(signed_ask(world, shop.webhook, {.id = "canary-4711", .body = "canary-4712"}))).body ==
        answer.body);
  const auto job = must(co_await world.stores.jobs.find(shop.tenant.org, JobId(text_of(json_of(answer), "job"))));
  CHECK(job.event_key.find("canary") == std::string::npos);
  CHECK(!job.event_key.empty());
  CHECK(job.payload == store::Payload::none);

  const auto masked = co_await open_shop(world, "masked", hook_recipe("orders", "", ", mask: [id]"));
  const auto second = co_await world.call(signed_ask(world, masked.webhook, {.id = "canary-4713"}));
  REQUIRE(second.status == 202);
  const auto hidden = must(co_await world.stores.jobs.find(masked.tenant.org, JobId(text_of(json_of(second), "job"))));
  CHECK(hidden.event_key.find("canary") == std::string::npos);
  CHECK((co_await world.call(signed_ask(world, masked.webhook, {.id = "canary-4713"}))).body == second.body);
}

ASYNC_TEST_CASE("while the organisation's own key is away a delivery is refused for now, and then taken once",
                "[api][webhooks][own]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  must(co_await world.own_keys.attach(shop.tenant.org, {"file", {{Value("name"), Value("one")}}, {}}));
  const auto webhook = (co_await world.add_webhook(shop.tenant, shop.recipe, std::string(kSecret))).value;
  CHECK((co_await world.call(signed_ask(world, webhook, {}))).status == 202);
  world.key_places.kept.at("one").broken = Errc::forbidden;
  world.clock.advance(keys::kKeyLife);
  co_await world.own_keys.look();
  const auto refused = co_await world.call(signed_ask(world, webhook, {.id = "msg_2"}));
  CHECK(refused.status == 503);
  CHECK(!header_of(refused, "Retry-After").empty());
  CHECK(refused.body.find("planted") == std::string::npos);
  world.key_places.kept.at("one").broken = {};
  world.clock.advance(keys::kKeyLife);
  co_await world.own_keys.look();
  const auto taken = co_await world.call(signed_ask(world, webhook, {.id = "msg_2"}));
  CHECK(taken.status == 202);
  CHECK((co_await world.call(signed_ask(world, webhook, {.id = "msg_2"}))).body == taken.body);
  CHECK(co_await jobs_of(world, shop.tenant.org) == 2);
}

ASYNC_TEST_CASE("deliveries over the rate of a source or of a webhook are slowed", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto shop = co_await open_shop(world, "shop", hook_recipe("orders"));
  webhooks::Door narrow({world.stores.webhooks, world.envelope, world.job_service, world.audit, world.clock, world.log,
                         world.metrics, world.api},
                        {.sources = {.per_second = 1, .burst = 3, .callers = 10},
                         .webhooks = {.per_second = 1, .burst = 1, .callers = 10}});
  http::RequestHead head;
  head.method = http::Method::post;
  head.segments = {"hooks", shop.webhook};
  head.peer = "192.0.2.7";
  const auto status = [&]() -> asio::awaitable<int> {
    auto admitted = co_await narrow.admit(head);
    const auto* refused = std::get_if<http::Response>(&admitted);
    co_return refused == nullptr ? 0 : refused->status;
  };
  for (int i = 0; i < 3; ++i) CHECK(co_await status() == 0);
  CHECK(co_await status() == 429);
  head.peer = "192.0.2.8";
  CHECK(co_await status() == 0);
  const auto deliver = [&](std::string id) -> asio::awaitable<http::Response> {
    const auto ask = signed_ask(world, shop.webhook, {.id = std::move(id)});
    http::Request request{.head = head, .body = ask.body};
    for (const auto& line : ask.headers)
      request.head.headers.add(line.substr(0, line.find(':')), line.substr(line.find(':') + 2));
    request.head.peer = "192.0.2.9";
    auto admitted = co_await narrow.admit(request.head);
    auto reply = co_await std::get<std::unique_ptr<http::Exchange>>(admitted)->answer(std::move(request));
    co_return std::get<http::Response>(std::move(reply));
  };
  CHECK((co_await deliver("msg_1")).status == 202);
  const auto slowed = co_await deliver("msg_2");
  CHECK(slowed.status == 429);
  CHECK(header_of(slowed, "Retry-After") == "1");
}
