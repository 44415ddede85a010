#include "relay/api/job_figures.h"
#include "relay/api/openapi_document.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

// The process answers. Says nothing about what it depends on.
asio::awaitable<Result<Answer>> get_livez(Services&, Call) { co_return Answer{text_response("text/plain", "ok\n")}; }

// The relay can do its work: the store answers, and can write.
asio::awaitable<Result<Answer>> get_readyz(Services& services, Call) {
  const auto answered = co_await services.stores.organisations.list_all({.limit = 1});
  if (!answered) co_return fail(Errc::unavailable, "the store does not answer: " + answered.error().message);
  const auto written = co_await services.stores.health.check_write();
  if (!written) co_return fail(Errc::unavailable, "the store cannot write: " + written.error().message);
  co_return Answer{text_response("text/plain", "ready\n")};
}

asio::awaitable<Result<Answer>> get_metrics(Services& services, Call) {
  const auto queues = co_await count_jobs(services);
  co_return Answer{text_response("text/plain; version=0.0.4; charset=utf-8", services.metrics.prometheus() + queues)};
}

asio::awaitable<Result<Answer>> get_openapi_yaml(Services&, Call) {
  co_return Answer{text_response("application/yaml", std::string(openapi_yaml()))};
}
asio::awaitable<Result<Answer>> get_openapi_json(Services&, Call) {
  co_return Answer{text_response("application/json", std::string(openapi_json()))};
}

asio::awaitable<Result<Answer>> who_am_i(Services& services, Call call) {
  const auto& caller = call.caller;
  SP_CO_TRY(const auto organisation, co_await services.stores.organisations.find(caller.org));
  SP_CO_TRY(const auto user, co_await services.stores.users.find(caller.org, caller.user));
  ValueList scopes;
  for (const auto scope : caller.scopes.list()) scopes.emplace_back(to_string(scope));
  co_return ok(Object()
                   .put("organisation", Object().put("id", caller.org).put("name", organisation.name).done())
                   .put("user", Object().put("id", caller.user).put("name", user.name).put("email", user.email).done())
                   .put("role", to_string(caller.role))
                   .put("platform_admin", Value(caller.platform == domain::PlatformRights::admin))
                   .put("token", caller.token)
                   .put("scopes", Value(std::move(scopes)))
                   .done());
}

constexpr std::array kRoutes{
    Route{.id = "get_livez", .pattern = "/livez", .reach = Reach::open, .handler = get_livez},
    Route{.id = "get_readyz", .pattern = "/readyz", .reach = Reach::open, .handler = get_readyz},
    Route{.id = "get_openapi_yaml", .pattern = "/openapi.yaml", .reach = Reach::open, .handler = get_openapi_yaml},
    Route{.id = "get_openapi_json", .pattern = "/openapi.json", .reach = Reach::open, .handler = get_openapi_json},
    Route{.id = "get_metrics",
          .pattern = "/metrics",
          .reach = Reach::platform,
          .scope = domain::Scope::platform_read,
          .handler = get_metrics},
    Route{.id = "who_am_i",
          .pattern = "/v1/whoami",
          .reach = Reach::authenticated,
          .response = "Whoami",
          .handler = who_am_i},
};

}  // namespace

std::span<const Route> meta_routes() { return kRoutes; }

}  // namespace sallyport::api
