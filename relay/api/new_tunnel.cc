#include "relay/api/new_tunnel.h"

#include "relay/api/fields.h"
#include "relay/domain/tunnel.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"
#include "shared/tunnel/purpose.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::api {
namespace {

constexpr std::int64_t kMostBytesPerSecond = 1'000'000'000'000;
constexpr std::int64_t kLongestIdle = 366 * 24 * 3600;

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

std::string fault_of_network(std::string_view text) {
  const auto network = domain::canonical_network(text);
  return network ? "" : fmt::format("is not right: {}", network.error().message);
}

std::string fault_of_token(std::string_view text) {
  return is_ulid(text, "tok_") ? "" : "must be the id of an API token (tok_...)";
}

constexpr std::array<std::string_view, 3> kRoles{"owner", "editor", "viewer"};
constexpr std::array kAccessFields{
    Field{.name = "roles", .type = FieldType::texts, .least = 0, .most = 3, .among = kRoles},
    Field{.name = "tokens", .type = FieldType::texts, .least = 0, .most = 32, .fault = fault_of_token}};
constexpr Schema kAccess{"TunnelAccess", kAccessFields};

constexpr std::array kLimitFields{
    Field{.name = "connections", .type = FieldType::integer, .least = 1, .most = 1000},
    Field{.name = "bytes_per_second", .type = FieldType::integer, .least = 0, .most = kMostBytesPerSecond},
    Field{.name = "idle_seconds", .type = FieldType::integer, .least = 0, .most = kLongestIdle}};
constexpr Schema kLimits{"TunnelLimits", kLimitFields};

constexpr std::array kNewFields{
    Field{.name = "name", .presence = Presence::required, .least = 1, .most = 63, .format = Format::slug},
    id_field("group", kGroupIds, Presence::optional),
    Field{.name = "group_name", .least = 1, .most = 63},
    id_field("agent", kAgentIds, Presence::optional),
    Field{.name = "target", .presence = Presence::required, .least = 1, .most = 300, .fault = fault_of_target},
    Field{.name = "listen", .least = 1, .most = 64, .fault = fault_of_listener},
    Field{.name = "networks", .type = FieldType::texts, .least = 1, .most = 32, .fault = fault_of_network},
    Field{.name = "access", .type = FieldType::object, .members = &kAccess},
    Field{.name = "limits", .type = FieldType::object, .members = &kLimits},
    Field{.name = "expires_at", .most = 40, .format = Format::time}};

std::vector<std::string> networks_of(const Call& call) {
  const auto* listed = call.body.find("networks");
  if (listed == nullptr) return {"127.0.0.0/8", "::1/128"};
  std::vector<std::string> networks;
  for (const auto& one : listed->as_list()) {
    auto network = *domain::canonical_network(one.as_string());
    if (std::ranges::find(networks, network) == networks.end()) networks.push_back(std::move(network));
  }
  return networks;
}

// What is given of the two is the whole of it; without either it is the default.
domain::TunnelAccess access_of(const Call& call) {
  const auto* given = call.body.find("access");
  const auto* roles = given == nullptr ? nullptr : given->find("roles");
  const auto* tokens = given == nullptr ? nullptr : given->find("tokens");
  if (roles == nullptr && tokens == nullptr) return {};
  domain::TunnelAccess access{.roles = {}};
  const auto wanted = roles == nullptr ? ValueList() : roles->as_list();
  for (const auto role : {domain::Role::owner, domain::Role::editor, domain::Role::viewer}) {
    if (std::ranges::find(wanted, Value(to_string(role))) != wanted.end()) access.roles.push_back(role);
  }
  if (tokens == nullptr) return access;
  for (const auto& one : tokens->as_list()) {
    ApiTokenId token(one.as_string());
    if (std::ranges::find(access.tokens, token) == access.tokens.end()) access.tokens.push_back(std::move(token));
  }
  return access;
}

domain::TunnelLimits limits_of(const Call& call) {
  domain::TunnelLimits limits;
  const auto* given = call.body.find("limits");
  const auto number = [given](std::string_view name) { return given == nullptr ? nullptr : given->find(name); };
  if (const auto* most = number("connections")) limits.connections = static_cast<std::uint32_t>(most->as_int());
  if (const auto* rate = number("bytes_per_second"))
    limits.bytes_per_second = static_cast<std::uint64_t>(rate->as_int());
  if (const auto* idle = number("idle_seconds")) limits.idle = std::chrono::seconds(idle->as_int());
  return limits;
}

}  // namespace

const Schema kNewTunnel{"NewTunnel", kNewFields};

store::Tunnel new_tunnel(const Call& call, TunnelId id, WallTime now) {
  auto target = *tunnel::parse_target(call.required_text("target"));
  store::Tunnel made{.id = std::move(id),
                     .org = call.caller.org,
                     .name = call.required_text("name"),
                     .group = {},
                     .host = std::move(target.host),
                     .port = target.port,
                     .networks = networks_of(call),
                     .access = access_of(call),
                     .limits = limits_of(call),
                     .created_by = call.caller.user,
                     .created_at = now};
  if (const auto agent = call.text("agent")) made.agent = AgentId(*agent);
  if (const auto listen = call.text("listen")) made.listener = *parse_listener(*listen);
  if (const auto end = call.text("expires_at")) made.expires_at = parse_rfc3339(*end);
  return made;
}

std::string_view fault_of_end(const store::Tunnel& tunnel) {
  if (!tunnel.expires_at) return "";
  if (*tunnel.expires_at <= tunnel.created_at) return "must be in the future";
  return *tunnel.expires_at - tunnel.created_at > kLongestTunnelLife ? "must be at most 366 days ahead" : "";
}

}  // namespace sallyport::api
