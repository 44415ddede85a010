#include "relay/api/fields.h"
#include "relay/api/lookups.h"
#include "relay/api/notes.h"
#include "relay/api/replies.h"
#include "relay/api/resources.h"
#include "relay/api/services.h"
#include "relay/api/shapes.h"
#include "shared/crypto/digest.h"

#include <fmt/format.h>

#include <map>

namespace sallyport::api {

namespace asio = boost::asio;

namespace {

Value shape_of(const jobs::LinkFacts& link) {
  Value round_trip;
  if (link.round_trip) round_trip = Value(static_cast<std::int64_t>(link.round_trip->count()));
  return Object()
      .put("peer", link.peer)
      .put("since", link.since)
      .put("round_trip_ms", std::move(round_trip))
      .put("jobs", Value(link.jobs))
      .put("tunnels", Value(static_cast<std::int64_t>(link.tunnels)))
      .put("draining", Value(link.draining))
      .done();
}

Value link_shape(const std::optional<jobs::LinkState>& link) {
  if (!link) return {};
  ValueList each;
  for (const auto& one : link->each) each.push_back(shape_of(one));
  return Object()
      .put("since", link->since)
      .put("links", Value(static_cast<std::int64_t>(link->each.size())))
      .put("peer", link->peer)
      .put("each", Value(std::move(each)))
      .done();
}

Value agent_shape(const Services& services, const store::Agent& agent, const std::string& group_name) {
  return Object()
      .put("id", agent.id)
      .put("name", agent.name)
      .put("group", agent.group)
      .put("group_name", group_name)
      .put("status", to_string(agent.status))
      .put("hostname", agent.hostname)
      .put("software", agent.software)
      .put("generation", agent.generation)
      .put("enrolled_at", agent.enrolled_at)
      .put("last_seen_at", agent.last_seen_at)
      .put("certificate_expires_at", agent.certificate_expires_at)
      .put("link", link_shape(services.presence.link_of(agent.org, agent.id)))
      .done();
}

// Changes with everything that people can change of an agent.
std::string tag_of(const store::Agent& agent) {
  const auto digest = crypto::sha256(fmt::format("{}\n{}\n{}", agent.name, agent.group.value, to_string(agent.status)));
  return '"' + hex(digest).substr(0, 16) + '"';
}

asio::awaitable<Result<Answer>> one_agent(Services& services, OrgId org, AgentId id) {
  SP_CO_TRY(const auto agent, co_await services.stores.agents.find(org, std::move(id)));
  SP_CO_TRY(const auto group, co_await services.stores.groups.find(org, agent.group));
  auto response = json_response(200, agent_shape(services, agent, group.name));
  response.headers.set("ETag", tag_of(agent));
  co_return Answer{std::move(response)};
}

store::AgentFilter filter_of(const Call& call) {
  store::AgentFilter filter;
  if (const auto group = call.query_text("group")) filter.group = GroupId(*group);
  if (const auto status = call.query_text("status")) {
    filter.status = *status == "active" ? store::AgentStatus::active : store::AgentStatus::revoked;
  }
  return filter;
}

asio::awaitable<Result<Answer>> list_agents(Services& services, Call call) {
  SP_CO_TRY(const auto page, co_await services.stores.agents.list(call.caller.org, filter_of(call), call.page()));
  std::map<GroupId, std::string> names;
  for (const auto& agent : page.items) {
    if (names.contains(agent.group)) continue;
    SP_CO_TRY(auto group, co_await services.stores.groups.find(call.caller.org, agent.group));
    names.emplace(agent.group, std::move(group.name));
  }
  co_return ok(
      page_value(page, [&](const auto& agent) { return agent_shape(services, agent, names.at(agent.group)); }));
}

asio::awaitable<Result<Answer>> get_agent(Services& services, Call call) {
  co_return co_await one_agent(services, call.caller.org, call.id<AgentId>("agent"));
}

bool is_other_tag(const Call& call, const store::Agent& agent) {
  return call.names_state() && call.if_match != tag_of(agent);
}

// What the store is to hold the change to: the state whose tag the caller named.
std::optional<store::AgentState> expected_state(const Call& call, const store::Agent& seen) {
  return call.names_state() ? std::optional(state_of(seen)) : std::nullopt;
}

// Why the store refused: somebody was quicker, or what it says.
asio::awaitable<Result<Answer>> refused(Services& services, Call call, AgentId id, Error error) {
  if (error.code != Errc::conflict || !call.names_state()) co_return std::unexpected(std::move(error));
  SP_CO_TRY(const auto now, co_await services.stores.agents.find(call.caller.org, std::move(id)));
  if (is_other_tag(call, now)) co_return changed_meanwhile("agent");
  co_return std::unexpected(std::move(error));
}

asio::awaitable<Result<Answer>> rename_agent(Services& services, Call call) {
  const auto id = call.id<AgentId>("agent");
  SP_CO_TRY(const auto before, co_await services.stores.agents.find(call.caller.org, id));
  if (is_other_tag(call, before)) co_return changed_meanwhile("agent");
  store::AgentRename change{call.required_text("name"), expected_state(call, before)};
  auto note = note_of<>(services, call, {"", {{Value("name"), Value(change.name)}}});
  auto renamed = co_await services.stores.agents.rename(call.caller.org, id, std::move(change), std::move(note));
  if (!renamed) co_return co_await refused(services, call, id, std::move(renamed).error());
  co_return co_await one_agent(services, call.caller.org, id);
}

// The agent links again and hears of the new group's recipes. What it is running it goes on with, as after any loss of
// the link.
asio::awaitable<Result<Answer>> move_agent(Services& services, Call call) {
  const auto id = call.id<AgentId>("agent");
  SP_CO_TRY(const auto before, co_await services.stores.agents.find(call.caller.org, id));
  if (is_other_tag(call, before)) co_return changed_meanwhile("agent");
  SP_CO_TRY(const auto group, co_await group_of(services, call));
  auto note = note_of<store::Agent>(
      services, call,
      {"", {{Value("from_group"), Value(before.group.value)}, {Value("to_group"), Value(group.value)}}});
  store::AgentMove change{before.group, group, expected_state(call, before)};
  auto moved = co_await services.stores.agents.move(call.caller.org, id, std::move(change), std::move(note));
  if (!moved) co_return co_await refused(services, call, id, std::move(moved).error());
  if (group != before.group) {
    services.triggers_changed(call.caller.org, std::nullopt);
    services.presence.relink(call.caller.org, id, "this agent was moved to another group");
  }
  co_return co_await one_agent(services, call.caller.org, id);
}

asio::awaitable<Result<Answer>> revoke_agent(Services& services, Call call) {
  const auto id = call.id<AgentId>("agent");
  SP_CO_CHECK(co_await services.revocations.revoke_agent(call.caller.org, id, note_of<>(services, call)));
  services.triggers_changed(call.caller.org, std::nullopt);
  co_return co_await one_agent(services, call.caller.org, id);
}

constexpr std::array<std::string_view, 2> kStatuses{"active", "revoked"};
constexpr std::array kListQuery{cursor_field(kAgentIds), kLimit, id_field("group", kGroupIds, Presence::optional),
                                Field{.name = "status", .among = kStatuses}};
constexpr std::array kChangeFields{Field{.name = "name", .presence = Presence::required, .least = 1, .most = 100}};
constexpr Schema kChange{"AgentChange", kChangeFields};
constexpr std::array kMoveFields{id_field("group", kGroupIds, Presence::optional),
                                 Field{.name = "group_name", .least = 1, .most = 63}};
constexpr Schema kMove{"AgentMove", kMoveFields};

constexpr std::array kRoutes{
    Route{.id = "list_agents",
          .pattern = "/v1/agents",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .query = kListQuery,
          .response = "AgentPage",
          .handler = list_agents},
    Route{.id = "get_agent",
          .pattern = "/v1/agents/{agent}",
          .least_role = domain::Role::viewer,
          .scope = domain::Scope::agents_read,
          .path = kAgentPath,
          .response = "Agent",
          .handler = get_agent},
    Route{.id = "rename_agent",
          .method = http::Method::patch,
          .pattern = "/v1/agents/{agent}",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kAgentPath,
          .body = Body::json,
          .request = &kChange,
          .response = "Agent",
          .repeat = Repeat::idempotent,
          .audited = "agent.rename",
          .handler = rename_agent},
    Route{.id = "move_agent",
          .method = http::Method::post,
          .pattern = "/v1/agents/{agent}/move",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kAgentPath,
          .body = Body::json,
          .request = &kMove,
          .response = "Agent",
          .repeat = Repeat::idempotent,
          .audited = "agent.move",
          .handler = move_agent},
    Route{.id = "revoke_agent",
          .method = http::Method::post,
          .pattern = "/v1/agents/{agent}/revoke",
          .least_role = domain::Role::editor,
          .scope = domain::Scope::agents_write,
          .path = kAgentPath,
          .body = Body::json,
          .request = &kNothing,
          .response = "Agent",
          .repeat = Repeat::idempotent,
          .audited = "agent.revoke",
          .handler = revoke_agent},
};

}  // namespace

std::span<const Route> agent_routes() { return kRoutes; }

}  // namespace sallyport::api
