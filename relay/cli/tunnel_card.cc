#include "relay/cli/tunnel_card.h"

#include "relay/cli/requests.h"

namespace sallyport::cli {
namespace {

const std::vector<NameSource> kNames{{"group", "/v1/groups"}, {"agent", "/v1/agents"}};
const std::vector<NameSource> kAgentNames{{"agent", "/v1/agents"}};
const std::vector<Column> kCard{{"ID", "id"},
                                {"NAME", "name"},
                                {"GROUP", "group_name"},
                                {"AGENT", "agent_name"},
                                {"TARGET", "target"},
                                {"LISTEN", "listen"},
                                {"FROM", "networks"},
                                {"OPENED BY", "access"},
                                {"STATUS", "status"},
                                {"ENTRANCE", "entrance.state"},
                                {"PROBLEM", "entrance.problem"},
                                {"OPEN", "open_connections"},
                                {"TO TARGET", "to_target"},
                                {"FROM TARGET", "from_target"},
                                {"MOST OPEN", "limits.connections"},
                                {"BYTES/S", "limits.bytes_per_second"},
                                {"IDLE SECONDS", "limits.idle_seconds"},
                                {"EXPIRES", "expires_at"},
                                {"CREATED", "created_at"}};

std::string line_of(const Value* listed) {
  if (listed == nullptr || !listed->is(Value::Kind::list)) return cell_of(listed);
  std::string line;
  for (const auto& one : listed->as_list()) line += (line.empty() ? "" : ", ") + cell_of(&one);
  return line;
}

std::string access_of(const Value& tunnel) {
  const auto* access = tunnel.find("access");
  if (access == nullptr) return "";
  const auto roles = line_of(access->find("roles")), tokens = line_of(access->find("tokens"));
  if (roles.empty() && tokens.empty()) return "nobody";
  return roles + (roles.empty() || tokens.empty() ? "" : ", ") + tokens;
}

}  // namespace

std::string networks_of_tunnel(const Value& tunnel) { return line_of(tunnel.find("networks")); }

std::string card_of_tunnel(const Value& tunnel) {
  auto shown = tunnel.as_map();
  shown.insert_or_assign(Value("networks"), Value(networks_of_tunnel(tunnel)));
  shown.insert_or_assign(Value("access"), Value(access_of(tunnel)));
  if (const auto* limits = tunnel.find("limits"); limits != nullptr && limits->is(Value::Kind::map)) {
    auto told = limits->as_map();
    for (auto& [name, limit] : told) {
      if (limit == Value(std::int64_t{0})) limit = Value("no limit");
    }
    shown.insert_or_assign(Value("limits"), Value(std::move(told)));
  }
  return card_of(Value(std::move(shown)), kCard);
}

Value named_tunnel(Client& client, Value tunnel) {
  auto whole = with_names(client, std::move(tunnel), kNames).as_map();
  if (const auto reach = whole.find(Value("reach")); reach != whole.end())
    reach->second = with_names(client, reach->second, kAgentNames);
  return Value(std::move(whole));
}

}  // namespace sallyport::cli
