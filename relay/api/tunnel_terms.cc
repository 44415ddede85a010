#include "relay/api/tunnel_terms.h"

#include "relay/domain/tunnel.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::api {
namespace {

constexpr std::int64_t kMostBytesPerSecond = 1'000'000'000'000;
constexpr std::int64_t kLongestIdle = 366 * 24 * 3600;

std::string fault_of_token(std::string_view text) {
  return is_ulid(text, "tok_") ? "" : "must be the id of an API token (tok_...)";
}

constexpr std::array<std::string_view, 3> kRoles{"owner", "editor", "viewer"};
constexpr std::array kAccessFields{
    Field{.name = "roles", .type = FieldType::texts, .least = 0, .most = 3, .among = kRoles},
    Field{.name = "tokens", .type = FieldType::texts, .least = 0, .most = 32, .fault = fault_of_token}};

constexpr std::array kLimitFields{
    Field{.name = "connections", .type = FieldType::integer, .least = 1, .most = 1000},
    Field{.name = "bytes_per_second", .type = FieldType::integer, .least = 0, .most = kMostBytesPerSecond},
    Field{.name = "idle_seconds", .type = FieldType::integer, .least = 0, .most = kLongestIdle}};

std::vector<std::string> networks_of(const ValueList& listed) {
  std::vector<std::string> networks;
  for (const auto& one : listed) {
    auto network = *domain::canonical_network(one.as_string());
    if (std::ranges::find(networks, network) == networks.end()) networks.push_back(std::move(network));
  }
  return networks;
}

std::vector<domain::Role> roles_of(const ValueList& listed) {
  std::vector<domain::Role> roles;
  for (const auto role : {domain::Role::owner, domain::Role::editor, domain::Role::viewer}) {
    if (std::ranges::find(listed, Value(to_string(role))) != listed.end()) roles.push_back(role);
  }
  return roles;
}

std::vector<ApiTokenId> tokens_of(const ValueList& listed) {
  std::vector<ApiTokenId> tokens;
  for (const auto& one : listed) {
    ApiTokenId token(one.as_string());
    if (std::ranges::find(tokens, token) == tokens.end()) tokens.push_back(std::move(token));
  }
  return tokens;
}

const Value* member(const Value& body, std::string_view object, std::string_view name) {
  const auto* given = body.find(object);
  return given == nullptr ? nullptr : given->find(name);
}

}  // namespace

const Schema kTunnelAccess{"TunnelAccess", kAccessFields};
const Schema kTunnelLimits{"TunnelLimits", kLimitFields};

std::string fault_of_network(std::string_view text) {
  const auto network = domain::canonical_network(text);
  return network ? "" : fmt::format("is not right: {}", network.error().message);
}

TunnelTerms terms_of(const Call& call) {
  TunnelTerms terms;
  const auto& body = call.body;
  if (const auto* networks = body.find("networks")) terms.networks = networks_of(networks->as_list());
  if (const auto* roles = member(body, "access", "roles")) terms.roles = roles_of(roles->as_list());
  if (const auto* tokens = member(body, "access", "tokens")) terms.tokens = tokens_of(tokens->as_list());
  if (const auto* most = member(body, "limits", "connections"))
    terms.connections = static_cast<std::uint32_t>(most->as_int());
  if (const auto* rate = member(body, "limits", "bytes_per_second"))
    terms.bytes_per_second = static_cast<std::uint64_t>(rate->as_int());
  if (const auto* idle = member(body, "limits", "idle_seconds")) terms.idle = std::chrono::seconds(idle->as_int());
  if (const auto* end = body.find("expires_at"))
    terms.expires_at = end->is_null() ? std::nullopt : parse_rfc3339(end->as_string());
  return terms;
}

std::string_view fault_of_end(std::optional<WallTime> end, WallTime now) {
  if (!end) return "";
  if (*end <= now) return "must be in the future";
  return *end - now > kLongestTunnelLife ? "must be at most 366 days ahead" : "";
}

}  // namespace sallyport::api
