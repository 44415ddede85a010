#include "relay/api/new_tunnel.h"

#include "relay/api/fields.h"
#include "relay/api/tunnel_terms.h"
#include "relay/domain/tunnel.h"
#include "shared/tunnel/purpose.h"

#include <fmt/format.h>

namespace sallyport::api {
namespace {

// Written as a target is, with an address for its host.
Result<domain::TunnelListener> parse_listener(std::string_view text) {
  SP_TRY(const auto where, tunnel::parse_target(text));
  SP_TRY(auto address, domain::canonical_address(where.host));
  return domain::TunnelListener{std::move(address), where.port};
}

std::string fault_of_target(std::string_view text) {
  const auto target = tunnel::parse_target(text);
  return target ? "" : fmt::format("is {}", target.error().message);
}

std::string fault_of_listener(std::string_view text) {
  return parse_listener(text) ? "" : "must be an address of the relay's machine and a port, such as 127.0.0.1:15432";
}

constexpr std::array kNewFields{
    Field{.name = "name", .presence = Presence::required, .least = 1, .most = 63, .format = Format::slug},
    id_field("group", kGroupIds, Presence::optional),
    Field{.name = "group_name", .least = 1, .most = 63},
    id_field("agent", kAgentIds, Presence::optional),
    Field{.name = "target", .presence = Presence::required, .least = 1, .most = 300, .fault = fault_of_target},
    Field{.name = "listen", .least = 1, .most = 64, .fault = fault_of_listener},
    Field{.name = "networks", .type = FieldType::texts, .least = 1, .most = 32, .fault = fault_of_network},
    Field{.name = "access", .type = FieldType::object, .members = &kTunnelAccess},
    Field{.name = "limits", .type = FieldType::object, .members = &kTunnelLimits},
    Field{.name = "expires_at", .most = 40, .format = Format::time}};

// What is given of the two is the whole of it; without either it is the default.
domain::TunnelAccess access_of(const TunnelTerms& terms) {
  if (!terms.roles && !terms.tokens) return {};
  return {.roles = terms.roles.value_or(std::vector<domain::Role>()),
          .tokens = terms.tokens.value_or(std::vector<ApiTokenId>())};
}

domain::TunnelLimits limits_of(const TunnelTerms& terms) {
  domain::TunnelLimits limits;
  limits.connections = terms.connections.value_or(limits.connections);
  limits.bytes_per_second = terms.bytes_per_second.value_or(limits.bytes_per_second);
  limits.idle = terms.idle.value_or(limits.idle);
  return limits;
}

}  // namespace

const Schema kNewTunnel{"NewTunnel", kNewFields};

store::Tunnel new_tunnel(const Call& call, TunnelId id, WallTime now) {
  auto target = *tunnel::parse_target(call.required_text("target"));
  auto terms = terms_of(call);
  store::Tunnel made{.id = std::move(id),
                     .org = call.caller.org,
                     .name = call.required_text("name"),
                     .group = {},
                     .host = std::move(target.host),
                     .port = target.port,
                     .networks = std::move(terms.networks).value_or(std::vector<std::string>{"127.0.0.0/8", "::1/128"}),
                     .access = access_of(terms),
                     .limits = limits_of(terms),
                     .created_by = call.caller.user,
                     .created_at = now};
  if (const auto agent = call.text("agent")) made.agent = AgentId(*agent);
  if (const auto listen = call.text("listen")) made.listener = *parse_listener(*listen);
  made.expires_at = terms.expires_at.value_or(std::nullopt);
  return made;
}

}  // namespace sallyport::api
