#include "relay/api/fields.h"
#include "relay/api/lookups.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/webhooks/secrets.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::hours kUsualOverlap{24};
constexpr std::chrono::hours kLongestOverlap{24 * 30};
constexpr std::array<std::string_view, 1> kWebhookIds{"whk_"};

Object shape(const store::Webhook& webhook) {
  Object object;
  object.put("id", webhook.id)
      .put("path", Value("/hooks/" + webhook.id.value))
      .put("recipe", webhook.recipe)
      .put("name", Value(webhook.name))
      .put("proof", Value(webhook.proof))
      .put("signature_header", webhook.signature_header.empty() ? Value() : Value(webhook.signature_header))
      .put("secret_set_at", webhook.secret_set_at)
      .put("old_secret_until", webhook.old_secret_until)
      .put("created_by", webhook.created_by)
      .put("created_at", webhook.created_at);
  return object;
}

// A secret that the relay has made is told this once; the caller has its own already.
Value told(const store::Webhook& webhook, const Call& call, const Secret& secret) {
  return shape(webhook).put("secret", call.secret ? Value() : Value(secret.reveal())).done();
}

Secret secret_of(const Call& call) { return call.secret ? call.secret->duplicate() : webhooks::make_secret(); }

// "": nothing is wrong with it.
std::string fault_of(const Call& call) {
  return call.secret ? webhooks::fault_of_secret(call.secret->reveal()) : std::string();
}

asio::awaitable<Result<Bytes>> seal(Services& services, const store::Webhook& webhook,
                                    const std::vector<webhooks::HeldSecret>& secrets) {
  const auto text = webhooks::join_secrets(secrets);
  co_return co_await services.envelope.seal(webhooks::secrets_identity(webhook.org, webhook.id),
                                            as_bytes(text.reveal()));
}

asio::awaitable<Result<Answer>> list_webhooks(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.webhooks.list(call.caller.org, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one).done(); }));
}

asio::awaitable<Result<Answer>> get_webhook(Services& services, Call call) {
  SP_CO_TRY(const auto webhook, co_await services.stores.webhooks.find(call.caller.org, call.id<WebhookId>("webhook")));
  co_return ok(shape(webhook).done());
}

asio::awaitable<Result<Answer>> create_webhook(Services& services, Call call) {
  store::Webhook webhook;
  webhook.proof = call.text("proof").value_or(std::string(webhooks::kProofs.front()));
  const auto header = call.text("signature_header");
  if (header && webhook.proof == webhooks::kProofs.front())
    co_return unfit("/signature_header", "is not of this proof, whose headers have names of their own");
  webhook.signature_header = header.value_or(std::string(webhooks::usual_header(webhook.proof)));
  if (webhook.signature_header.empty() && webhook.proof != webhooks::kProofs.front())
    co_return unfit("/signature_header", "is needed for this proof");
  if (auto fault = fault_of(call); !fault.empty()) co_return unfit("/secret", std::move(fault));
  SP_CO_TRY(webhook.recipe, co_await recipe_of(services, call));
  webhook.org = call.caller.org;
  webhook.id = crypto::new_id<WebhookId>(services.clock);
  webhook.name = call.text("name").value_or("");
  webhook.secret_set_at = webhook.created_at = services.clock.wall();
  webhook.created_by = call.caller.user;
  std::vector<webhooks::HeldSecret> secrets;
  secrets.push_back({.text = secret_of(call)});
  SP_CO_TRY(webhook.sealed_secrets, co_await seal(services, webhook, secrets));
  auto note = note_of<>(services, call,
                        {"webhook:" + webhook.id.value,
                         {{Value("recipe"), Value(webhook.recipe.value)}, {Value("proof"), Value(webhook.proof)}}});
  SP_CO_CHECK(co_await services.stores.webhooks.add(call.caller.org, webhook, std::move(note)));
  co_return created("/v1/webhooks/" + webhook.id.value, told(webhook, call, secrets.front().text));
}

asio::awaitable<Result<Answer>> rotate_webhook(Services& services, Call call) {
  const auto overlap = call.duration("overlap").value_or(kUsualOverlap);
  if (overlap < overlap.zero() || overlap > kLongestOverlap) co_return unfit("/overlap", "must be 0s to 720h");
  if (auto fault = fault_of(call); !fault.empty()) co_return unfit("/secret", std::move(fault));
  SP_CO_TRY(auto webhook, co_await services.stores.webhooks.find(call.caller.org, call.id<WebhookId>("webhook")));
  SP_CO_TRY(const auto text, co_await services.envelope.open(webhooks::secrets_identity(webhook.org, webhook.id),
                                                             webhook.sealed_secrets));
  SP_CO_TRY(auto before, webhooks::split_secrets(text));
  const auto now = services.clock.wall();
  const auto secrets = webhooks::with_newest(std::move(before), secret_of(call), now, now + overlap);
  store::NewSecrets fresh{.before = webhook.sealed_secrets, .sealed_secrets = {}, .set_at = now, .old_until = {}};
  if (secrets.size() > 1) fresh.old_until = now + overlap;
  SP_CO_TRY(fresh.sealed_secrets, co_await seal(services, webhook, secrets));
  SP_CO_TRY(webhook, co_await services.stores.webhooks.set_secrets(call.caller.org, webhook.id, std::move(fresh),
                                                                   note_of<store::Webhook>(services, call)));
  co_return ok(told(webhook, call, secrets.front().text));
}

asio::awaitable<Result<Answer>> remove_webhook(Services& services, Call call) {
  auto note = note_of<store::Webhook>(services, call, {}, [](const store::Webhook& removed) {
    return Said{"", {{Value("recipe"), Value(removed.recipe.value)}}};
  });
  SP_CO_CHECK(
      co_await services.stores.webhooks.remove(call.caller.org, call.id<WebhookId>("webhook"), std::move(note)));
  co_return no_content();
}

// A name of a header field (RFC 9110 §5.1) that is none of those that frame a request.
std::string fault_of_header(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return std::ranges::all_of(text, fits) ? "" : "must be letters, digits, hyphens and underscores";
}

constexpr std::array kPath{id_field("webhook", kWebhookIds)};
constexpr auto kListQuery = page_query(kWebhookIds);
constexpr Field kSecret{.name = "secret", .least = 1, .most = webhooks::kLongestSecret, .format = Format::secret};
constexpr std::array kNewFields{id_field("recipe", kRecipeIds, Presence::optional),
                                Field{.name = "recipe_name", .least = 1, .most = 63},
                                Field{.name = "name", .most = 63},
                                Field{.name = "proof", .among = webhooks::kProofs},
                                Field{.name = "signature_header", .least = 1, .most = 64, .fault = fault_of_header},
                                kSecret};
constexpr Schema kNew{"NewWebhook", kNewFields};
constexpr std::array kRotationFields{Field{.name = "overlap", .most = 16, .format = Format::duration}, kSecret};
constexpr Schema kRotation{"WebhookRotation", kRotationFields};

constexpr std::array kRoutes{
    Route{.id = "list_webhooks",
          .pattern = "/v1/webhooks",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .query = kListQuery,
          .response = "WebhookPage",
          .handler = list_webhooks},
    Route{.id = "create_webhook",
          .method = http::Method::post,
          .pattern = "/v1/webhooks",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .body = Body::json,
          .request = &kNew,
          .response = "WebhookWithSecret",
          .repeat = Repeat::once,
          .audited = "webhook.create",
          .handler = create_webhook},
    Route{.id = "get_webhook",
          .pattern = "/v1/webhooks/{webhook}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::recipes_read,
          .path = kPath,
          .response = "Webhook",
          .handler = get_webhook},
    Route{.id = "rotate_webhook",
          .method = http::Method::post,
          .pattern = "/v1/webhooks/{webhook}/rotate",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .path = kPath,
          .body = Body::json,
          .request = &kRotation,
          .response = "WebhookWithSecret",
          .repeat = Repeat::once,
          .audited = "webhook.rotate",
          .handler = rotate_webhook},
    Route{.id = "remove_webhook",
          .method = http::Method::del,
          .pattern = "/v1/webhooks/{webhook}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::recipes_write,
          .path = kPath,
          .repeat = Repeat::idempotent,
          .audited = "webhook.remove",
          .handler = remove_webhook},
};

}  // namespace

std::span<const Route> webhook_routes() { return kRoutes; }

}  // namespace sallyport::api
