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

constexpr std::chrono::hours kFirstTokenLife{24 * 30};

// The organisation, its first owner, and a token for that owner to begin with: all or nothing.
asio::awaitable<Result<Answer>> create_organisation(Services& services, Call call) {
  const auto now = services.clock.wall();
  const store::Organisation organisation{crypto::new_id<OrgId>(services.clock), call.required_text("name"), now};
  const store::User owner{.id = crypto::new_id<UserId>(services.clock),
                          .org = organisation.id,
                          .name = call.required_text("owner_name"),
                          .email = call.required_text("owner_email"),
                          .role = domain::Role::owner,
                          .created_at = now};
  const auto token_id = crypto::new_id<ApiTokenId>(services.clock);
  auto secret = make_token_secret(token_id);
  const store::ApiToken token{.id = token_id,
                              .org = organisation.id,
                              .user = owner.id,
                              .name = "first owner token",
                              .secret_hash = std::move(secret.hash),
                              .scopes = domain::scopes_of(domain::Role::owner),
                              .created_at = now,
                              .expires_at = now + kFirstTokenLife};
  auto note = note_of<>(services, call, {"organisation:" + organisation.id.value});
  SP_CO_CHECK(co_await services.stores.organisations.found({organisation, owner, token}, std::move(note)));
  co_return created("/v1/organisation", Object()
                                            .put("organisation", shape(organisation))
                                            .put("owner", shape(owner))
                                            .put("token", shape(token))
                                            .put("secret", Value(secret.text.reveal()))
                                            .done());
}

asio::awaitable<Result<Answer>> list_organisations(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.organisations.list_all(call.page()));
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> get_organisation(Services& services, Call call) {
  SP_CO_TRY(const auto organisation, co_await services.stores.organisations.find(call.caller.org));
  co_return ok(shape(organisation));
}

asio::awaitable<Result<Answer>> rename_organisation(Services& services, Call call) {
  const auto name = call.required_text("name");
  auto note = note_of<>(services, call, {"organisation:" + call.caller.org.value, {{Value("name"), Value(name)}}});
  SP_CO_CHECK(co_await services.stores.organisations.rename(call.caller.org, name, std::move(note)));
  SP_CO_TRY(const auto organisation, co_await services.stores.organisations.find(call.caller.org));
  co_return ok(shape(organisation));
}

constexpr Field kName{.name = "name", .presence = Presence::required, .least = 1, .most = 100};
constexpr std::array kNewFields{
    kName, Field{.name = "owner_name", .presence = Presence::required, .least = 1, .most = 100},
    Field{.name = "owner_email", .presence = Presence::required, .least = 3, .most = 254, .format = Format::email}};
constexpr Schema kNew{"NewOrganisation", kNewFields};
constexpr std::array kRenameFields{kName};
constexpr Schema kRename{"OrganisationChange", kRenameFields};

constexpr auto kListQuery = page_query(kOrganisationCursor);

constexpr std::array kRoutes{
    Route{.id = "create_organisation",
          .method = http::Method::post,
          .pattern = "/v1/organisations",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_write,
          .body = Body::json,
          .request = &kNew,
          .response = "CreatedOrganisation",
          .repeat = Repeat::once,
          .audited = "organisation.create",
          .handler = create_organisation},
    Route{.id = "list_organisations",
          .pattern = "/v1/organisations",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_read,
          .query = kListQuery,
          .response = "OrganisationPage",
          .handler = list_organisations},
    Route{.id = "get_organisation",
          .pattern = "/v1/organisation",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::organisation_read,
          .response = "Organisation",
          .handler = get_organisation},
    Route{.id = "rename_organisation",
          .method = http::Method::patch,
          .pattern = "/v1/organisation",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kRename,
          .response = "Organisation",
          .repeat = Repeat::idempotent,
          .audited = "organisation.rename",
          .handler = rename_organisation},
};

}  // namespace

std::span<const Route> organisation_routes() { return kRoutes; }

}  // namespace sallyport::api
