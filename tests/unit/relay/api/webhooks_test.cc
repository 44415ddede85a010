#include "relay/webhooks/secrets.h"
#include "tests/support/async_test.h"
#include "tests/unit/relay/api/answers.h"
#include "tests/unit/relay/api/response_schema.h"
#include "tests/unit/relay/api/world.h"

#include <fmt/format.h>

// `/v1/webhooks`.
using namespace sallyport;
using namespace sallyport::test;
using domain::Role;

namespace {

Ask post(const Tenant& tenant, std::string target, std::string body = "{}") {
  return {.method = "POST", .target = std::move(target), .token = tenant.token(Role::editor), .body = std::move(body)};
}

}  // namespace

ASYNC_TEST_CASE("a webhook's secret is told once, and no other answer and no file has it", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  const auto recipe = co_await world.apply_recipe(tenant, "orders", recipe_yaml("orders"));
  const auto made = co_await world.call(post(tenant, "/v1/webhooks", R"({"recipe_name":"orders","name":"shop"})"));
  INFO(made.body);
  REQUIRE(made.status == 201);
  const auto webhook = json_of(made);
  CHECK(misfit("WebhookWithSecret", webhook) == "");
  const auto secret = text_of(webhook, "secret"), id = text_of(webhook, "id");
  CHECK(webhooks::fault_of_secret(secret) == "");
  CHECK(text_of(webhook, "path") == "/hooks/" + id);
  CHECK(text_of(webhook, "recipe") == recipe.value);
  CHECK(text_of(webhook, "proof") == "standard-webhooks");

  const auto news = world.news();
  REQUIRE(news.size() == 1);
  CHECK(text_of(news[0].event, "action") == "webhook.create");
  CHECK(text_of(news[0].event, "target") == "webhook:" + id);
  for (const auto& path : {std::string("/v1/webhooks"), "/v1/webhooks/" + id, std::string("/v1/audit-events")}) {
    const auto answer = co_await world.call({.target = path, .token = tenant.token(Role::owner)});
    INFO(path);
    CHECK(answer.status == 200);
    CHECK(answer.body.find(id) != std::string::npos);
    CHECK(answer.body.find(secret.substr(10)) == std::string::npos);
  }
  CHECK(misfit("WebhookPage",
               json_of(co_await world.call({.target = "/v1/webhooks", .token = tenant.token(Role::viewer)}))) == "");
  const auto stored = must(co_await world.stores.webhooks.find(tenant.org, WebhookId(id)));
  CHECK(as_text(stored.sealed_secrets).find(secret.substr(10)) == std::string_view::npos);
  CHECK(world.sink.text.find(secret.substr(10)) == std::string::npos);
}

ASYNC_TEST_CASE("a webhook takes the secret that the sender made, and does not tell it", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  co_await world.apply_recipe(tenant, "orders", recipe_yaml("orders"));
  const auto order = [&](std::string more) {
    return world.call(post(tenant, "/v1/webhooks", R"({"recipe_name":"orders",)" + more + "}"));
  };
  const auto made = co_await order(R"("proof":"signature","secret":"It's-a-Secret-to-Everybody")");
  INFO(made.body);
  REQUIRE(made.status == 201);
  CHECK(json_of(made).find("secret")->is_null());
  CHECK(made.body.find("Everybody") == std::string::npos);
  CHECK(text_of(json_of(made), "signature_header") == "X-Hub-Signature-256");
  const auto stamped = co_await order(R"("proof":"timestamped-signature","signature_header":"Acme-Signature")");
  CHECK(text_of(json_of(stamped), "signature_header") == "Acme-Signature");
  CHECK(misfit("WebhookWithSecret", json_of(stamped)) == "");

  for (const auto* wrong :
       {R"("secret":"too short")", R"("secret":"with a blank in it, or more")", R"("secret":"whsec_c2hvcnQ=xxxxxxxx")",
        R"("proof":"timestamped-signature")", R"("signature_header":"X-A")", R"("proof":"none")",
        R"("proof":"signature","signature_header":"a b")"}) {
    INFO(wrong);
    const auto answer = co_await order(wrong);
    CHECK(answer.status == 422);
    CHECK(answer.body.find("short") == std::string::npos);
  }
  const auto both = co_await world.call(post(
      tenant, "/v1/webhooks", fmt::format(R"({{"recipe_name":"orders","recipe":"{}"}})", RecipeId("rcp_1").value)));
  CHECK(both.status == 422);
  CHECK((co_await world.call(post(tenant, "/v1/webhooks", R"({"recipe_name":"absent"})"))).status == 404);
  CHECK((co_await world.call(post(tenant, "/v1/webhooks"))).status == 422);
  auto keyed = post(tenant, "/v1/webhooks", R"({"recipe_name":"orders"})");
  keyed.headers = {"Idempotency-Key: k"};
  const auto refused = co_await world.call(std::move(keyed));
  CHECK(refused.status == 400);  // a secret is not kept for repeated calls
}

ASYNC_TEST_CASE("a webhook is gone with its recipe, and when it is removed", "[api][webhooks]") {
  World world(co_await asio::this_coro::executor);
  const auto tenant = co_await world.settle("ours");
  const auto recipe = co_await world.apply_recipe(tenant, "orders", recipe_yaml("orders"));
  const auto first = co_await world.add_webhook(tenant, recipe, "a secret of sixteen bytes");
  const auto second = co_await world.add_webhook(tenant, recipe, "a secret of sixteen bytes");
  const auto path = "/v1/webhooks/" + first.value;
  CHECK((co_await world.call({.method = "DELETE", .target = path, .token = tenant.token(Role::editor)})).status == 204);
  CHECK((co_await world.call({.target = path, .token = tenant.token(Role::viewer)})).status == 404);
  CHECK((co_await world.call({.target = "/v1/webhooks/" + second.value, .token = tenant.token(Role::viewer)})).status ==
        200);
  const auto removed = co_await world.call(
      {.method = "DELETE", .target = "/v1/recipes/" + recipe.value, .token = tenant.token(Role::editor)});
  REQUIRE(removed.status == 204);
  CHECK((co_await world.call({.target = "/v1/webhooks/" + second.value, .token = tenant.token(Role::viewer)})).status ==
        404);
  CHECK((co_await world.call(post(tenant, "/v1/webhooks", fmt::format(R"({{"recipe":"{}"}})", recipe.value)))).status ==
        409);
}
