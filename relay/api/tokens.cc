#include "relay/api/api_token.h"
#include "relay/api/fields.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "shared/crypto/new_id.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::hours kDefaultLife{24 * 90};
constexpr std::chrono::hours kLongestLife{24 * 366};

asio::awaitable<Result<Answer>> list_tokens(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.api_tokens.list(call.caller.org, call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

Result<std::chrono::milliseconds> lifetime_of(const Call& call) {
  const auto life = call.duration("expires_in").value_or(kDefaultLife);
  if (life < std::chrono::minutes(1) || life > kLongestLife)
    return fail(Errc::invalid, "expires_in must be from 1m to 366d");
  return life;
}

// A token never gives more than its maker's own token, nor more than its user's role.
Result<domain::ScopeSet> scopes_of_order(const Call& call, const store::User& user) {
  const auto most = call.caller.scopes & domain::scopes_of(user.role, user.platform);
  const auto* wanted = call.body.find("scopes");
  if (wanted == nullptr) return most;
  domain::ScopeSet scopes;
  for (const auto& name : wanted->as_list()) {
    SP_TRY(const auto scope, domain::parse_scope(name.as_string()));
    scopes.insert(scope);
  }
  if (!most.contains(scopes)) {
    return fail(Errc::forbidden, "a token cannot have scopes that its maker's token or its user's role lacks");
  }
  return scopes;
}

asio::awaitable<Result<Answer>> create_token(Services& services, Call call) {
  const UserId user_id(call.text("user").value_or(call.caller.user.value));
  SP_CO_TRY(const auto user, co_await services.stores.users.find(call.caller.org, user_id));
  SP_CO_TRY(const auto scopes, scopes_of_order(call, user));
  SP_CO_TRY(const auto life, lifetime_of(call));
  const auto now = services.clock.wall();
  const auto id = crypto::new_id<ApiTokenId>(services.clock);
  auto secret = make_token_secret(id);
  const store::ApiToken token{.id = id,
                              .org = call.caller.org,
                              .user = user.id,
                              .name = call.required_text("name"),
                              .secret_hash = std::move(secret.hash),
                              .scopes = scopes,
                              .created_at = now,
                              .expires_at = now + life};
  auto note = note_of<>(services, call, {"token:" + id.value, {{Value("for_user"), Value(user.id.value)}}});
  SP_CO_CHECK(co_await services.stores.api_tokens.add(call.caller.org, token, std::move(note)));
  auto body = shape(token).as_map();
  body.emplace(Value("secret"), Value(secret.text.reveal()));
  co_return created("/v1/tokens/" + id.value, Value(std::move(body)));
}

asio::awaitable<Result<Answer>> get_token(Services& services, Call call) {
  SP_CO_TRY(const auto token, co_await services.stores.api_tokens.find(call.caller.org, call.id<ApiTokenId>("token")));
  co_return ok(shape(token));
}

asio::awaitable<Result<Answer>> revoke_token(Services& services, Call call) {
  SP_CO_CHECK(co_await services.stores.api_tokens.revoke(call.caller.org, call.id<ApiTokenId>("token"),
                                                         services.clock.wall(), note_of<>(services, call)));
  co_return no_content();
}

constexpr std::array kNewFields{Field{.name = "name", .presence = Presence::required, .least = 1, .most = 100},
                                id_field("user", kUserIds, Presence::optional),
                                Field{.name = "scopes", .type = FieldType::texts, .least = 1, .most = 32},
                                Field{.name = "expires_in", .most = 16, .format = Format::duration}};
constexpr Schema kNew{"NewToken", kNewFields};

constexpr auto kListQuery = page_query(kTokenIds);

constexpr std::array kRoutes{
    Route{.id = "list_tokens",
          .pattern = "/v1/tokens",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tokens_read,
          .query = kListQuery,
          .response = "TokenPage",
          .handler = list_tokens},
    Route{.id = "create_token",
          .method = http::Method::post,
          .pattern = "/v1/tokens",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::tokens_write,
          .body = Body::json,
          .request = &kNew,
          .response = "CreatedToken",
          .repeat = Repeat::once,
          .audited = "token.create",
          .handler = create_token},
    Route{.id = "get_token",
          .pattern = "/v1/tokens/{token}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tokens_read,
          .path = kTokenPath,
          .response = "Token",
          .handler = get_token},
    Route{.id = "revoke_token",
          .method = http::Method::del,
          .pattern = "/v1/tokens/{token}",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::tokens_write,
          .path = kTokenPath,
          .repeat = Repeat::idempotent,
          .audited = "token.revoke",
          .handler = revoke_token},
};

}  // namespace

std::span<const Route> token_routes() { return kRoutes; }

}  // namespace sallyport::api
