#include "relay/api/tunnel_change.h"

#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/services.h"
#include "relay/api/tunnel_shapes.h"
#include "relay/api/tunnel_terms.h"
#include "shared/base/json.h"
#include "shared/crypto/digest.h"

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

constexpr std::array kChangeFields{
    Field{.name = "networks", .type = FieldType::texts, .least = 1, .most = 32, .fault = fault_of_network},
    Field{.name = "access", .type = FieldType::object, .members = &kTunnelAccess},
    Field{.name = "limits", .type = FieldType::object, .members = &kTunnelLimits},
    Field{.name = "expires_at", .presence = Presence::clearable, .most = 40, .format = Format::time}};

// Changes with everything that people can change of a tunnel.
std::string tag_of(const store::Tunnel& tunnel) {
  auto state = shape(state_of(tunnel)).as_map();
  state.emplace(Value("status"), Value(to_string(tunnel.status)));
  return '"' + hex(crypto::sha256(to_json(Value(std::move(state))))).substr(0, 16) + '"';
}

bool is_other_tag(const Call& call, const store::Tunnel& tunnel) {
  return call.names_state() && call.if_match != tag_of(tunnel);
}

// What differs: {"limits": {"was": ..., "is": ...}}.
Said what_changed(const store::ChangedTunnel& tunnel) {
  const auto before = shape(tunnel.before), now = shape(state_of(tunnel.now));
  ValueMap detail;
  for (const auto& [name, is] : now.as_map()) {
    const auto* was = before.find(name.as_string());
    if (*was != is) detail.emplace(name, Value(ValueMap{{Value("was"), *was}, {Value("is"), is}}));
  }
  return {"", std::move(detail)};
}

// Why the store refused: somebody was quicker, or what it says.
asio::awaitable<Result<Answer>> refused(Services& services, Call call, TunnelId id, Error error) {
  if (error.code != Errc::conflict || !call.names_state()) co_return std::unexpected(std::move(error));
  SP_CO_TRY(const auto now, co_await services.stores.tunnels.find(call.caller.org, std::move(id)));
  if (is_other_tag(call, now)) co_return changed_meanwhile("tunnel");
  co_return std::unexpected(std::move(error));
}

}  // namespace

const Schema kTunnelChange{"TunnelChange", kChangeFields};

Answer tunnel_answer(const Services& services, const store::Tunnel& tunnel) {
  auto response = json_response(200, shape(tunnel, services.tunnels.standing(tunnel)));
  response.headers.set("ETag", tag_of(tunnel));
  return {std::move(response)};
}

asio::awaitable<Result<Answer>> change_tunnel(Services& services, Call call) {
  const auto id = call.id<TunnelId>("tunnel");
  SP_CO_TRY(const auto before, co_await services.stores.tunnels.find(call.caller.org, id));
  if (is_other_tag(call, before)) co_return changed_meanwhile("tunnel");
  auto change = terms_of(call);
  const auto end = change.expires_at.value_or(std::nullopt);
  if (const auto fault = fault_of_end(end, services.clock.wall()); !fault.empty())
    co_return unfit("/expires_at", std::string(fault));
  if (call.names_state()) change.only_if = state_of(before);
  auto note = note_of<store::ChangedTunnel>(services, call, {}, what_changed);
  auto changed = co_await services.stores.tunnels.change(call.caller.org, id, std::move(change), std::move(note));
  if (!changed) co_return co_await refused(services, call, id, std::move(changed).error());
  static_cast<void>(services.tunnels.put(changed->now));  // before anything else may happen to it
  if (!*call.ticket.stored) SP_CO_CHECK(co_await record_apart(services, call));
  co_return tunnel_answer(services, changed->now);
}

}  // namespace sallyport::api
