#include "relay/api/fields.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<Answer>> list_connections(Services& services, Call call) {
  store::ConnectionFilter filter;
  if (const auto agent = call.query_text("agent")) {
    filter.agent = AgentId(*agent);
    SP_CO_CHECK(co_await services.stores.agents.find(call.caller.org, *filter.agent));
  }
  SP_CO_TRY(auto page, co_await services.stores.connections.list(call.caller.org, filter, call.page()));
  PayloadReader reader(services, payload_access(call.caller));
  ValueList items;
  for (auto& one : page.items) items.push_back(co_await connection_shape(reader, std::move(one)));
  co_return ok(page_value(std::move(items), page.next));
}

constexpr std::array kListQuery{cursor_field(kConnectionCursor), kLimit,
                                id_field("agent", kAgentIds, Presence::optional)};

constexpr std::array kRoutes{
    Route{.id = "list_connections",
          .pattern = "/v1/connections",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .query = kListQuery,
          .response = "ConnectionPage",
          .handler = list_connections},
};

}  // namespace

std::span<const Route> connection_routes() { return kRoutes; }

}  // namespace sallyport::api
