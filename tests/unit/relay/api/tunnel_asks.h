#pragma once

#include "shared/crypto/new_id.h"
#include "tests/unit/relay/api/answers.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

// Tunnels over the web API: what tests ask, and what they look at.
namespace sallyport::test {

inline Ask order(const Tenant& tenant, std::string_view members = "", std::string_view name = "erp-db") {
  return {"POST", "/v1/tunnels", tenant.token(domain::Role::editor),
          fmt::format(R"({{"name":"{}","group_name":"dc1","target":"db.internal:5432"{}{}}})", name,
                      members.empty() ? "" : ",", members)};
}

inline std::vector<std::string> actions_of(const std::vector<Seen>& rows) {
  std::vector<std::string> actions;
  actions.reserve(rows.size());
  for (const auto& row : rows)
    actions.push_back(fmt::format("{} {}", text_of(row.event, "action"), text_of(row.event, "outcome")));
  return actions;
}

inline std::string place_of(const Value& tunnel) { return "/v1/tunnels/" + text_of(tunnel, "id"); }

inline tunnels::Reach reached(const AgentId& agent) {
  return {.asked = true, .agent = agent, .allowed = true, .rule = {}, .answers = true, .detail = {}, .connect_ms = 12};
}

inline store::TunnelConnection connection(const World& world, const TunnelId& tunnel) {
  return {.id = crypto::new_id<TunnelConnectionId>(world.clock),
          .tunnel = tunnel,
          .source = "127.0.0.1",
          .opened_at = world.clock.wall(),
          .end = {},
          .detail = {}};
}

inline std::vector<std::string> ids_of(const http::Response& page) {
  std::vector<std::string> ids;
  for (const auto& item : items_of(page)) ids.push_back(text_of(item, "id"));
  return ids;
}

}  // namespace sallyport::test
