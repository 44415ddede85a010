#include "relay/gateway/peer_summary.h"

#include "shared/base/json.h"

#include <algorithm>
#include <set>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kMaxSummary = 256u << 10;
constexpr std::size_t kMaxConnections = 1'000;
constexpr std::size_t kMaxText = 200;

Result<std::string> text_of(const Value& entry, std::string_view name) {
  const Value* member = entry.find(name);
  if (member == nullptr) return std::string();
  if (!member->is(Value::Kind::string) || member->as_string().size() > kMaxText) {
    return fail(Errc::invalid, "summary of the agent: a connection's " + std::string(name) + " is no short text");
  }
  return member->as_string();
}

Result<std::optional<WallTime>> told_at(const Value& entry, WallTime now) {
  const Value* member = entry.find("at_ms");
  if (member == nullptr) return std::nullopt;
  if (!member->is(Value::Kind::int64)) return fail(Errc::invalid, "summary of the agent: at_ms is no integer");
  return not_after(member->as_int(), now);
}

Result<ToldConnection> connection_of(const OrgId& org, const AgentId& agent, const Value& entry, WallTime at) {
  ToldConnection told{
      .connection = {.org = org, .agent = agent, .name = {}, .kind = {}, .sealed_detail = {}, .checked_at = {}},
      .detail = {}};
  auto& connection = told.connection;
  SP_TRY(connection.name, text_of(entry, "name"));
  SP_TRY(connection.kind, text_of(entry, "kind"));
  SP_TRY(told.detail, text_of(entry, "detail"));
  SP_TRY(const auto health, text_of(entry, "health"));
  SP_TRY(const auto told_time, told_at(entry, at));
  connection.health = health_of(health);
  if (connection.health != store::ConnectionHealth::unknown) connection.checked_at = told_time.value_or(at);
  if (connection.name.empty()) return fail(Errc::invalid, "summary of the agent: a connection without a name");
  return told;
}

}  // namespace

store::ConnectionHealth health_of(std::string_view word) {
  if (word == "healthy") return store::ConnectionHealth::healthy;
  return word == "failing" ? store::ConnectionHealth::failing : store::ConnectionHealth::unknown;
}

WallTime not_after(std::int64_t at_ms, WallTime now) {
  return from_unix_ms(std::clamp<std::int64_t>(at_ms, 0, std::max<std::int64_t>(unix_ms(now), 0)));
}

Result<std::vector<ToldConnection>> connections_of(const OrgId& org, const AgentId& agent,
                                                   std::string_view summary_json, WallTime at) {
  std::vector<ToldConnection> connections;
  if (summary_json.empty()) return connections;
  SP_TRY(const auto summary, parse_json(summary_json, {.max_bytes = kMaxSummary, .max_depth = 8}));
  if (!summary.is(Value::Kind::map)) return fail(Errc::invalid, "summary of the agent: no object");
  const Value* list = summary.find("connections");
  if (list == nullptr) return connections;
  if (!list->is(Value::Kind::list)) return fail(Errc::invalid, "summary of the agent: connections is no list");
  if (list->as_list().size() > kMaxConnections)
    return fail(Errc::too_large, "summary of the agent: more than 1,000 connections");
  std::set<std::string> names;
  for (const auto& entry : list->as_list()) {
    SP_TRY(auto told, connection_of(org, agent, entry, at));
    if (!names.insert(told.connection.name).second)
      return fail(Errc::invalid, "summary of the agent: a connection is named twice");
    connections.push_back(std::move(told));
  }
  return connections;
}

}  // namespace sallyport::gateway
