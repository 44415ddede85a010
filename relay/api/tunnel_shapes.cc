#include "relay/api/tunnel_shapes.h"

#include "relay/api/replies.h"

namespace sallyport::api {
namespace {

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

Value shape(const domain::TunnelLimits& limits) {
  return Object()
      .put("connections", limits.connections)
      .put("bytes_per_second", limits.bytes_per_second)
      .put("idle_seconds", Value(static_cast<std::int64_t>(limits.idle.count())))
      .done();
}

Value texts(const std::vector<std::string>& all) {
  ValueList list;
  for (const auto& one : all) list.emplace_back(one);
  return Value(std::move(list));
}

std::vector<std::string> words_of(const domain::TunnelAccess& access) {
  std::vector<std::string> words;
  words.reserve(access.roles.size());
  for (const auto role : access.roles) words.emplace_back(to_string(role));
  return words;
}

std::vector<std::string> ids_of(const domain::TunnelAccess& access) {
  std::vector<std::string> ids;
  ids.reserve(access.tokens.size());
  for (const auto& token : access.tokens) ids.push_back(token.value);
  return ids;
}

Value listen_of(const std::optional<domain::TunnelListener>& listener) {
  return listener ? Value(tunnel::to_string({listener->address, listener->port})) : Value();
}

}  // namespace

std::string_view to_string(store::TunnelStatus status) {
  return status == store::TunnelStatus::active ? "active" : "paused";
}

std::string_view to_string(tunnels::EntranceState state) {
  switch (state) {
    case tunnels::EntranceState::none: return "none";
    case tunnels::EntranceState::listening: return "listening";
    case tunnels::EntranceState::paused: return "paused";
    case tunnels::EntranceState::expired: return "expired";
    case tunnels::EntranceState::failed: break;
  }
  return "failed";
}

Value shape(const domain::TunnelAccess& access) {
  return Object().put("roles", texts(words_of(access))).put("tokens", texts(ids_of(access))).done();
}

Value shape(const store::TunnelState& state) {
  return Object()
      .put("networks", texts(state.networks))
      .put("access", shape(state.access))
      .put("limits", shape(state.limits))
      .put("expires_at", state.expires_at)
      .done();
}

Value shape(const store::Tunnel& tunnel, const tunnels::Standing& standing) {
  return Object()
      .put("id", tunnel.id)
      .put("name", tunnel.name)
      .put("group", tunnel.group)
      .put("agent", tunnel.agent)
      .put("target", tunnel::to_string({tunnel.host, tunnel.port}))
      .put("listen", listen_of(tunnel.listener))
      .put("networks", texts(tunnel.networks))
      .put("access", shape(tunnel.access))
      .put("limits", shape(tunnel.limits))
      .put("expires_at", tunnel.expires_at)
      .put("status", to_string(tunnel.status))
      .put("created_by", tunnel.created_by)
      .put("created_at", tunnel.created_at)
      .put("entrance",
           Object().put("state", to_string(standing.entrance)).put("problem", text_or_null(standing.problem)).done())
      .put("open_connections", std::uint64_t{standing.open_connections})
      .put("to_target", standing.to_target)
      .put("from_target", standing.from_target)
      .done();
}

Value shape(const tunnels::Reach& reach) {
  return Object()
      .put("asked", Value(reach.asked))
      .put("agent", reach.asked ? Value(reach.agent.value) : Value())
      .put("allowed", Value(reach.allowed))
      .put("rule", text_or_null(reach.rule))
      .put("answers", Value(reach.answers))
      .put("detail", reach.detail)
      .put("connect_ms", reach.connect_ms)
      .done();
}

Value shape(const store::TunnelConnection& connection) {
  return Object()
      .put("id", connection.id)
      .put("tunnel", connection.tunnel)
      .put("agent", connection.agent)
      .put("source", connection.source)
      .put("user", connection.user)
      .put("token", connection.token)
      .put("opened_at", connection.opened_at)
      .put("closed_at", connection.closed_at)
      .put("to_target", connection.to_target)
      .put("from_target", connection.from_target)
      .put("end", text_or_null(connection.end))
      .put("detail", connection.detail)
      .done();
}

}  // namespace sallyport::api
