#include "relay/api/fields.h"
#include "relay/api/lookups.h"
#include "relay/api/new_tunnel.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/tunnel_shapes.h"
#include "shared/crypto/new_id.h"

#include <algorithm>

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
  co_return ok(shown(services, tunnel));
}

asio::awaitable<tunnels::Reach> reach_of(Services& services, store::Tunnel tunnel) {
  co_return co_await services.tunnels.reach(tunnel.org, tunnel.group, tunnel.agent, {tunnel.host, tunnel.port});
}

Said made_as(const store::Tunnel& tunnel) {
  Said said{"tunnel:" + tunnel.id.value,
            {{Value("name"), Value(tunnel.name)},
             {Value("group"), Value(tunnel.group.value)},
             {Value("to"), Value(tunnel::to_string({tunnel.host, tunnel.port}))}}};
  if (tunnel.agent) said.detail.emplace(Value("agent"), Value(tunnel.agent->value));
  if (tunnel.listener)
    said.detail.emplace(Value("listen"), Value(tunnel::to_string({tunnel.listener->address, tunnel.listener->port})));
  return said;
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
  if (why.code == Errc::invalid || why.code == Errc::forbidden) co_return unfit("/listen", std::move(why.message));
  co_return std::unexpected(std::move(why));
}

// Made whether or not the target can be reached: what an agent's policy allows changes on its own machine, later too.
asio::awaitable<Result<Answer>> create_tunnel(Services& services, Call call) {
  auto tunnel = new_tunnel(call, crypto::new_id<TunnelId>(services.clock), services.clock.wall());
  if (const auto fault = fault_of_end(tunnel); !fault.empty()) co_return unfit("/expires_at", std::string(fault));
  SP_CO_TRY(tunnel.group, co_await group_of(services, call));
  if (tunnel.listener) {
    auto allowed = services.tunnels.check_listener(*tunnel.listener);
    if (!allowed) co_return unfit("/listen", std::move(allowed).error().message);
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
  if (!*call.ticket.stored) SP_CO_CHECK(co_await record_unchanged(services, call));
  co_return ok(shown(services, tunnel));
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

using Connections = std::vector<store::TunnelConnection>;

auto find_in(Connections& connections, const TunnelConnectionId& id) {
  return std::ranges::find(connections, id, &store::TunnelConnection::id);
}

// Puts what is open as it is now over what was stored of it; gives what the page lacks though it is as new as the page.
Connections refresh(store::Page<store::TunnelConnection>& page, Connections open) {
  Connections missing;
  for (auto& live : open) {
    if (const auto stored = find_in(page.items, live.id); stored != page.items.end()) {
      *stored = std::move(live);
    } else if (page.next.empty() || page.items.empty() || live.id > page.items.back().id) {
      missing.push_back(std::move(live));
    }
  }
  return missing;
}

// What has been open for too short a time to be stored stands at the top of the first page, as far as it has room.
asio::awaitable<Result<Answer>> list_tunnel_connections(Services& services, Call call) {
  const auto id = call.id<TunnelId>("tunnel");
  auto& store = services.stores.tunnels;
  auto query = call.page();
  SP_CO_TRY(auto page, co_await store.list_connections(call.caller.org, id, query));
  auto missing = refresh(page, services.tunnels.open_connections(id));
  if (query.after.empty() && !missing.empty()) {
    const auto room = std::min(missing.size(), query.limit - 1);
    query.limit -= room;
    SP_CO_TRY(page, co_await store.list_connections(call.caller.org, id, query));
    missing = refresh(page, services.tunnels.open_connections(id));
    missing.resize(std::min(missing.size(), room));
    page.items.insert(page.items.begin(), missing.begin(), missing.end());
  }
  co_return ok(page_value(page, [](const auto& one) { return shape(one); }));
}

constexpr std::array<std::string_view, 2> kStatuses{"active", "paused"};
constexpr std::array kListQuery{cursor_field(kTunnelIds), kLimit, Field{.name = "name", .most = 63},
                                Field{.name = "status", .among = kStatuses}};
constexpr auto kConnectionsQuery = page_query(kTunnelConnectionIds);
constexpr Schema kNothing{"Nothing", {}};

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
