#include "relay/api/fields.h"
#include "relay/api/lookups.h"
#include "relay/api/new_tunnel.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/tunnel_change.h"
#include "relay/api/tunnel_events.h"
#include "relay/api/tunnel_session.h"
#include "relay/api/tunnel_shapes.h"
#include "relay/api/tunnel_terms.h"
#include "shared/crypto/new_id.h"

#include <boost/asio/this_coro.hpp>

#include <functional>
#include <map>
#include <ranges>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

Value shown(const Services& services, const store::Tunnel& tunnel) {
  return shape(tunnel, services.tunnels.standing(tunnel));
}

store::TunnelFilter filter_of(const Call& call) {
  store::TunnelFilter filter{.name = call.query_text("name"), .status = std::nullopt};
  if (const auto status = call.query_text("status")) {
    filter.status = *status == "active" ? store::TunnelStatus::active : store::TunnelStatus::paused;
  }
  return filter;
}

asio::awaitable<Result<Answer>> list_tunnels(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.tunnels.list(call.caller.org, filter_of(call), call.page()));
  co_return ok(page_value(page, [&](const auto& one) { return shown(services, one); }));
}

asio::awaitable<Result<Answer>> get_tunnel(Services& services, Call call) {
  SP_CO_TRY(const auto tunnel, co_await services.stores.tunnels.find(call.caller.org, call.id<TunnelId>("tunnel")));
  co_return tunnel_answer(services, tunnel);
}

asio::awaitable<tunnels::Reach> reach_of(Services& services, store::Tunnel tunnel) {
  co_return co_await services.tunnels.reach(tunnel.org, tunnel.group, tunnel.agent, {tunnel.host, tunnel.port});
}

Said made_as(const store::Tunnel& tunnel) {
  Said said{"tunnel:" + tunnel.id.value,
            {{Value("name"), Value(tunnel.name)},
             {Value("group"), Value(tunnel.group.value)},
             {Value("to"), Value(tunnel::to_string({tunnel.host, tunnel.port}))}}};
  said.detail.emplace(Value("access"), shape(tunnel.access));
  if (tunnel.agent) said.detail.emplace(Value("agent"), Value(tunnel.agent->value));
  if (tunnel.listener)
    said.detail.emplace(Value("listen"), Value(tunnel::to_string({tunnel.listener->address, tunnel.listener->port})));
  return said;
}

// Of a place to listen: a state that lasts until somebody changes it, so that trying again soon is no advice.
Error lasting(Error why) {
  if (why.code == Errc::exhausted) why.code = Errc::conflict;
  return why;
}

// The relay has no room for it (409), or it is the order's `listen` that is at fault (422).
Result<Answer> not_allowed_to_listen(Error why) {
  if (why.code == Errc::exhausted) return std::unexpected(lasting(std::move(why)));
  return unfit("/listen", std::move(why.message));
}

// A tunnel that cannot listen is not left behind. The ledger has both, that it was made and that it was removed. When
// it cannot be removed either it is there, and its listener is tried again.
asio::awaitable<Result<Answer>> taken_back(Services& services, Call call, TunnelId id, Error why) {
  call.ticket.record.action = "tunnel.remove";
  call.ticket.stored = std::make_shared<bool>(false);
  auto note = note_of<>(
      services, call,
      {"tunnel:" + id.value, {{Value("because"), Value("tunnel.create")}, {Value("reason"), Value(why.message)}}});
  SP_CO_CHECK(co_await services.stores.tunnels.remove(call.caller.org, id, services.clock.wall(), std::move(note)));
  services.tunnels.drop(id);
  why = lasting(std::move(why));
  if (why.code == Errc::invalid || why.code == Errc::forbidden) co_return unfit("/listen", std::move(why.message));
  co_return std::unexpected(std::move(why));
}

// Made whether or not the target can be reached: what an agent's policy allows changes on its own machine, later too.
asio::awaitable<Result<Answer>> create_tunnel(Services& services, Call call) {
  auto tunnel = new_tunnel(call, crypto::new_id<TunnelId>(services.clock), services.clock.wall());
  if (const auto fault = fault_of_end(tunnel.expires_at, tunnel.created_at); !fault.empty())
    co_return unfit("/expires_at", std::string(fault));
  SP_CO_TRY(tunnel.group, co_await group_of(services, call));
  if (tunnel.listener) {
    auto allowed = services.tunnels.check_listener(*tunnel.listener);
    if (!allowed) co_return not_allowed_to_listen(std::move(allowed).error());
  }
  auto note = note_of<>(services, call, made_as(tunnel));
  SP_CO_CHECK(co_await services.stores.tunnels.add(call.caller.org, tunnel, std::move(note)));
  if (auto open = services.tunnels.put(tunnel); !open) {
    co_return co_await taken_back(services, std::move(call), tunnel.id, std::move(open).error());
  }
  const auto reach = co_await reach_of(services, tunnel);
  auto body = shown(services, tunnel).as_map();
  body.emplace(Value("reach"), shape(reach));
  co_return created("/v1/tunnels/" + tunnel.id.value, Value(std::move(body)));
}

// Whether an active one listens is in the answer: a listener that cannot be opened now is tried again.
asio::awaitable<Result<Answer>> change_status(Services& services, Call call, store::TunnelStatus status) {
  SP_CO_TRY(const auto tunnel, co_await services.stores.tunnels.set_status(call.caller.org, call.id<TunnelId>("tunnel"),
                                                                           status, note_of<>(services, call)));
  static_cast<void>(services.tunnels.put(tunnel));  // before anything else may happen to it
  if (!*call.ticket.stored) SP_CO_CHECK(co_await record_apart(services, call));
  co_return tunnel_answer(services, tunnel);
}

asio::awaitable<Result<Answer>> pause_tunnel(Services& services, Call call) {
  co_return co_await change_status(services, std::move(call), store::TunnelStatus::paused);
}

asio::awaitable<Result<Answer>> resume_tunnel(Services& services, Call call) {
  co_return co_await change_status(services, std::move(call), store::TunnelStatus::active);
}

asio::awaitable<Result<Answer>> remove_tunnel(Services& services, Call call) {
  const auto id = call.id<TunnelId>("tunnel");
  SP_CO_CHECK(
      co_await services.stores.tunnels.remove(call.caller.org, id, services.clock.wall(), note_of<>(services, call)));
  services.tunnels.drop(id);
  co_return no_content();
}

// Makes an agent dial, so it takes a right to change tunnels; changes nothing, so the ledger does not hear of it.
asio::awaitable<Result<Answer>> check_tunnel(Services& services, Call call) {
  SP_CO_TRY(auto tunnel, co_await services.stores.tunnels.find(call.caller.org, call.id<TunnelId>("tunnel")));
  co_return ok(shape(co_await reach_of(services, std::move(tunnel))));
}

using ConnectionPage = store::Page<store::TunnelConnection>;

// What is open as it is now, in its place among what is stored of this page; some of it is too young to be stored.
ConnectionPage merged(ConnectionPage stored, std::vector<store::TunnelConnection> open, const store::PageQuery& query) {
  std::map<TunnelConnectionId, store::TunnelConnection, std::greater<>> newest_first;
  for (auto& one : open) {
    if (query.after.empty() || one.id.value < query.after) newest_first.emplace(one.id, std::move(one));
  }
  for (auto& one : stored.items) {
    if (one.closed_at) newest_first.erase(one.id);  // it ended since
    newest_first.emplace(one.id, std::move(one));
  }
  const bool more = !stored.next.empty() || newest_first.size() > query.limit;
  ConnectionPage page;
  for (auto& [id, one] : newest_first | std::views::take(query.limit)) page.items.push_back(std::move(one));
  if (more && !page.items.empty()) page.next = page.items.back().id.value;
  return page;
}

asio::awaitable<Result<Answer>> list_tunnel_connections(Services& services, Call call) {
  const auto id = call.id<TunnelId>("tunnel");
  const auto query = call.page();
  auto open = services.tunnels.open_connections(id);  // first: what ends meanwhile is in the store then
  SP_CO_TRY(auto stored, co_await services.stores.tunnels.list_connections(call.caller.org, id, query));
  const auto page = merged(std::move(stored), std::move(open), query);
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

asio::awaitable<Result<Answer>> live_tunnel(Services& services, Call call) {
  const auto id = call.id<TunnelId>("tunnel");
  SP_CO_CHECK(co_await services.stores.tunnels.find(call.caller.org, id));
  auto lookout =
      services.lookouts->of(co_await asio::this_coro::executor,
                            {services.stores.tunnels, services.tunnels, services.clock}, call.caller.org, id);
  co_return Answer{http::StreamResponse{{}, watch_tunnel(services, call.caller, std::move(lookout)), {}}};
}

constexpr std::array<std::string_view, 2> kStatuses{"active", "paused"};
constexpr std::array kListQuery{cursor_field(kTunnelIds), kLimit, Field{.name = "name", .most = 63},
                                Field{.name = "status", .among = kStatuses}};
constexpr auto kConnectionsQuery = page_query(kTunnelConnectionIds);

constexpr std::array kRoutes{
    Route{.id = "list_tunnels",
          .pattern = "/v1/tunnels",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::tunnels_read,
          .query = kListQuery,
          .response = "TunnelPage",
          .handler = list_tunnels},
    Route{.id = "create_tunnel",
          .method = http::Method::post,
          .pattern = "/v1/tunnels",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tunnels_write,
          .body = Body::json,
          .request = &kNewTunnel,
          .response = "CreatedTunnel",
          .repeat = Repeat::keyed,
          .audited = "tunnel.create",
          .handler = create_tunnel},
    Route{.id = "get_tunnel",
          .pattern = "/v1/tunnels/{tunnel}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::tunnels_read,
          .path = kTunnelPath,
          .response = "Tunnel",
          .handler = get_tunnel},
    Route{.id = "change_tunnel",
          .method = http::Method::patch,
          .pattern = "/v1/tunnels/{tunnel}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tunnels_write,
          .path = kTunnelPath,
          .body = Body::json,
          .request = &kTunnelChange,
          .response = "Tunnel",
          .repeat = Repeat::idempotent,
          .audited = "tunnel.change",
          .handler = change_tunnel},
    Route{.id = "remove_tunnel",
          .method = http::Method::del,
          .pattern = "/v1/tunnels/{tunnel}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tunnels_write,
          .path = kTunnelPath,
          .repeat = Repeat::idempotent,
          .audited = "tunnel.remove",
          .handler = remove_tunnel},
    Route{.id = "pause_tunnel",
          .method = http::Method::post,
          .pattern = "/v1/tunnels/{tunnel}/pause",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tunnels_write,
          .path = kTunnelPath,
          .body = Body::json,
          .request = &kNothing,
          .response = "Tunnel",
          .repeat = Repeat::idempotent,
          .audited = "tunnel.pause",
          .handler = pause_tunnel},
    Route{.id = "resume_tunnel",
          .method = http::Method::post,
          .pattern = "/v1/tunnels/{tunnel}/resume",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tunnels_write,
          .path = kTunnelPath,
          .body = Body::json,
          .request = &kNothing,
          .response = "Tunnel",
          .repeat = Repeat::idempotent,
          .audited = "tunnel.resume",
          .handler = resume_tunnel},
    Route{.id = "check_tunnel",
          .method = http::Method::post,
          .pattern = "/v1/tunnels/{tunnel}/check",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::tunnels_write,
          .path = kTunnelPath,
          .body = Body::json,
          .request = &kNothing,
          .response = "TunnelReach",
          .handler = check_tunnel},
    Route{.id = "open_tunnel_session",
          .pattern = "/v1/tunnels/{tunnel}/session",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::tunnels_use,
          .path = kTunnelPath,
          .ledger = SafeCall::told_as_session,
          .handler = open_tunnel_session},
    Route{.id = "live_tunnel",
          .pattern = "/v1/tunnels/{tunnel}/live",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::tunnels_read,
          .path = kTunnelPath,
          .handler = live_tunnel},
    Route{.id = "list_tunnel_connections",
          .pattern = "/v1/tunnels/{tunnel}/connections",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::tunnels_read,
          .path = kTunnelPath,
          .query = kConnectionsQuery,
          .response = "TunnelConnectionPage",
          .handler = list_tunnel_connections},
};

}  // namespace

std::span<const Route> tunnel_routes() { return kRoutes; }

}  // namespace sallyport::api
