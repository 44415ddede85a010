#include "relay/api/key_shapes.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/keys/custodian.h"

#include <string>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

Value shape(const keys::DeploymentKeys& keys) {
  return Object()
      .put("provider", Value(keys.provider))
      .put("state", state_shape(keys.unavailable))
      .put("reason", keys.unavailable)
      .put("versions", versions_shape(keys.versions))
      .put("shreddings", keys.epoch)
      .put("versions_to_rewrap", std::uint64_t{keys.waiting})
      .put("organisations_to_reseal", std::uint64_t{keys.to_reseal})
      .done();
}

asio::awaitable<Result<Answer>> get_keys(Services& services, Call call) {
  co_return co_await show_keys(services, call.caller);
}

asio::awaitable<Result<Answer>> get_platform_keys(Services& services, Call) {
  SP_CO_TRY(const auto keys, co_await services.keys.of_deployment());
  co_return ok(shape(keys));
}

asio::awaitable<Result<Answer>> rotate_keys(Services& services, Call call) {
  call.ticket.record.target = "organisation:" + call.caller.org.value;
  SP_CO_CHECK(co_await record_apart(services, call));
  const auto rotated = co_await services.keys.rotate_organisation(call.caller.org);
  if (!rotated) co_return not_after_all(call, rotated.error());
  co_return co_await show_keys(services, call.caller);
}

asio::awaitable<Result<Answer>> rotate_platform_keys(Services& services, Call call) {
  call.ticket.record.target = "key:global";
  SP_CO_CHECK(co_await record_apart(services, call));
  const auto rotated = co_await services.keys.rotate_deployment();
  if (!rotated) co_return not_after_all(call, rotated.error());
  SP_CO_TRY(const auto keys, co_await services.keys.of_deployment());
  co_return ok(shape(keys));
}

constexpr std::array kRoutes{
    Route{.id = "get_keys",
          .pattern = "/v1/keys",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::organisation_read,
          .response = "OrganisationKeys",
          .handler = get_keys},
    Route{.id = "rotate_keys",
          .method = http::Method::post,
          .pattern = "/v1/keys/rotate",
          .least_role = domain::Role::owner,
          .scope = domain::Scope::organisation_write,
          .body = Body::json,
          .request = &kNothing,
          .response = "OrganisationKeys",
          .repeat = Repeat::keyed,
          .audited = "keys.rotate",
          .handler = rotate_keys},
    Route{.id = "get_platform_keys",
          .pattern = "/v1/platform/keys",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_read,
          .response = "DeploymentKeys",
          .handler = get_platform_keys},
    Route{.id = "rotate_platform_keys",
          .method = http::Method::post,
          .pattern = "/v1/platform/keys/rotate",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_write,
          .body = Body::json,
          .request = &kNothing,
          .response = "DeploymentKeys",
          .repeat = Repeat::keyed,
          .audited = "keys.rotate",
          .handler = rotate_platform_keys},
};

}  // namespace

std::span<const Route> key_routes() { return kRoutes; }

}  // namespace sallyport::api
