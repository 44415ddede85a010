#include "relay/cli/authorization.h"
#include "relay/cli/commands.h"
#include "relay/cli/requests.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

const std::vector<Column> kAgentColumns{{"ID", "id"},
                                        {"NAME", "name"},
                                        {"GROUP", "group_name"},
                                        {"STATUS", "status"},
                                        {"LINKED SINCE", "link.since"},
                                        {"SOFTWARE", "software"},
                                        {"LAST SEEN", "last_seen_at"},
                                        {"CERTIFICATE EXPIRES", "certificate_expires_at"}};
const std::vector<Column> kLinkColumns{
    {"LINK FROM", "peer"}, {"SINCE", "since"},     {"ROUND TRIP MS", "round_trip_ms"},
    {"JOBS", "jobs"},      {"TUNNELS", "tunnels"}, {"DRAINING", "draining"}};
const std::vector<NameSource> kTokenNames{{"group", "/v1/groups"}};
const std::vector<Column> kTokenColumns{{"ID", "id"},          {"GROUP", "group_name"},  {"STATE", "state"},
                                        {"USES", "uses"},      {"MAX USES", "max_uses"}, {"EXPIRES", "expires_at"},
                                        {"FOR AGENT", "agent"}};

Result<void> show_token(Context& context, const Value& made) {
  const auto id = text_of(made, "id");
  SP_CHECK(show_once(context, made, text_of(made, "enrolment_string") + "\n",
                     {"enrolment token " + id, "sallyport agent token revoke " + id}));
  if (context.format == Format::table) {
    context.complain(
        fmt::format("a secret until {}: on the agent's host run `sallyport-agent enrol -` and paste it there",
                    text_of(made, "expires_at")));
  }
  return {};
}

int create_token(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const auto group = arguments.get("group");
    ValueMap body{{Value("group_name"), Value(group)}};
    if (const auto uses = arguments.number("max-uses")) body.emplace(Value("max_uses"), Value(*uses));
    if (arguments.has("expires-in")) body.emplace(Value("expires_in"), Value(arguments.get("expires-in")));
    auto made = client.post("/v1/enrolment-tokens", Value(std::move(body)));
    if (!made && made.error().code == Errc::not_found) {
      return fail(
          Errc::not_found,
          fmt::format("there is no group \"{0}\"; see: sallyport group list; or make it: sallyport group create {0}",
                      terminal_safe(group)));
    }
    if (!made) return std::unexpected(made.error());
    return show_token(context, *made);
  });
}

int reenrol_agent(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "agent", "agt_", "/v1/agents", arguments.positional(0)));
    ValueMap body{{Value("agent"), Value(id)}};
    if (arguments.has("expires-in")) body.emplace(Value("expires_in"), Value(arguments.get("expires-in")));
    SP_TRY(const auto made,
           about(client.post("/v1/enrolment-tokens", Value(std::move(body))), "agent", arguments.positional(0)));
    return show_token(context, made);
  });
}

int revoke_token(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, checked_id("agent token", "enr_", arguments.positional(0)));
    SP_TRY(const auto done, about(client.remove(fill("/v1/enrolment-tokens/{}", id)), "agent token", id));
    context.show(done, fmt::format("enrolment token {} revoked\n", id));
    return {};
  });
}

// A 404 of `change` is the agent's.
int change_agent(Context& context, const Arguments& arguments,
                 const std::function<Result<Value>(Client&, const std::string&)>& change) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "agent", "agt_", "/v1/agents", arguments.positional(0)));
    SP_TRY(const auto agent, about(change(client, id), "agent", arguments.positional(0)));
    context.show(agent, card_of(agent, kAgentColumns));
    return {};
  });
}

int revoke_agent(Context& context, const Arguments& arguments) {
  return change_agent(context, arguments, [](Client& client, const std::string& id) {
    return client.post(fill("/v1/agents/{}/revoke", id), Value(ValueMap{}));
  });
}

int rename_agent(Context& context, const Arguments& arguments) {
  return change_agent(context, arguments, [&](Client& client, const std::string& id) {
    return client.patch(fill("/v1/agents/{}", id), Value(ValueMap{{Value("name"), Value(arguments.positional(1))}}));
  });
}

Result<Value> move_to(Client& client, const std::string& id, const Arguments& arguments) {
  const auto group = arguments.get("group"), agent = fill("/v1/agents/{}", id);
  SP_TRY(const auto group_id, id_of(client, "group", "grp_", "/v1/groups", group));
  auto moved = client.post(agent + "/move", Value(ValueMap{{Value("group"), Value(group_id)}}));
  if (!moved && is_other_absent(client, moved.error(), agent))
    return std::unexpected(about(std::move(moved).error(), "group", group));
  return about(std::move(moved), "agent", arguments.positional(0));
}

int move_agent(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "agent", "agt_", "/v1/agents", arguments.positional(0)));
    SP_TRY(const auto agent, move_to(client, id, arguments));
    context.show(agent, card_of(agent, kAgentColumns));
    return {};
  });
}

// A table below the card; "" when it is not linked.
std::string links_of(const Value& agent) {
  const auto* link = agent.find("link");
  const auto* each = link == nullptr ? nullptr : link->find("each");
  if (each == nullptr || !each->is(Value::Kind::list) || each->as_list().empty()) return {};
  return "\n" + table_of(each->as_list(), kLinkColumns);
}

int show_agent(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "agent", "agt_", "/v1/agents", arguments.positional(0)));
    SP_TRY(const auto agent, about(client.get(fill("/v1/agents/{}", id)), "agent", arguments.positional(0)));
    context.show(agent, card_of(agent, kAgentColumns) + links_of(agent));
    return {};
  });
}

int create_group(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto group,
           client.post("/v1/groups", Value(ValueMap{{Value("name"), Value(arguments.positional(0))}})));
    context.show(group, fmt::format("group {} made\n", text_of(group, "name")));
    return {};
  });
}

int remove_group(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, id_of(client, "group", "grp_", "/v1/groups", arguments.positional(0)));
    SP_TRY(const auto done, about(client.remove(fill("/v1/groups/{}", id)), "group", arguments.positional(0)));
    context.show(done, fmt::format("group {} removed\n", terminal_safe(arguments.positional(0))));
    return {};
  });
}

}  // namespace

std::vector<Command> agent_commands() {
  return {
      {"agent", "list", {}, {}, "agents and whether they are linked", listing("/v1/agents", kAgentColumns)},
      {"agent", "show", {"AGENT"}, {}, "one agent and its links, by name or id", show_agent},
      {"agent", "rename", {"AGENT", "NAME"}, {}, "give an agent another name", rename_agent},
      {"agent",
       "move",
       {"AGENT"},
       {{"group", "GROUP", "agent group that the agent belongs to from now on", Need::required}},
       "move an agent to another group; what it runs goes on",
       move_agent},
      {"agent",
       "revoke",
       {"AGENT"},
       {},
       "cut an agent off for good; its certificates stop working at once",
       revoke_agent},
      {"agent",
       "reenrol",
       {"AGENT"},
       {{"expires-in", "DURATION", "such as 30m or 2h (1h)"}},
       "make a string that gives an agent a new certificate, when it was away for too long; those before stop working",
       reenrol_agent},
      {"agent",
       "token create",
       {},
       {{"group", "GROUP", "agent group that the agent joins", Need::required},
        {"max-uses", "N", "how many agents may use it (1)"},
        {"expires-in", "DURATION", "such as 30m or 2h (1h)"}},
       "make an enrolment token: one string, shown once",
       create_token},
      {"agent",
       "token list",
       {},
       {},
       "enrolment tokens and their state",
       listing("/v1/enrolment-tokens", kTokenColumns, kTokenNames)},
      {"agent", "token revoke", {"TOKEN"}, {}, "make an enrolment token useless", revoke_token},
      {"group",
       "list",
       {},
       {},
       "agent groups",
       listing("/v1/groups", {{"ID", "id"}, {"NAME", "name"}, {"CREATED", "created_at"}})},
      {"group", "create", {"NAME"}, {}, "make an agent group", create_group},
      {"group", "remove", {"GROUP"}, {}, "remove an agent group that nothing uses", remove_group},
      {"connection",
       "list",
       {},
       {},
       "systems that agents are configured for: names, kinds, and what their last use told",
       listing("/v1/connections",
               {{"AGENT", "agent_name"},
                {"NAME", "name"},
                {"KIND", "kind"},
                {"HEALTH", "health"},
                {"CLASS", "detail"},
                {"CHECKED", "checked_at"}},
               {{"agent", "/v1/agents"}})},
      {"connection",
       "authorize",
       {"NAME"},
       {{"agent", "AGENT", "the agent whose connection it is (unless only one has it)"}},
       "log in with a browser for a connection with `grant: authorization_code`",
       authorize_connection},
  };
}

}  // namespace sallyport::cli
