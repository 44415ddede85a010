#include "relay/cli/commands.h"
#include "relay/cli/reach_text.h"
#include "relay/cli/requests.h"
#include "relay/cli/tunnel_open.h"
#include "relay/cli/tunnel_watch.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

const std::vector<NameSource> kNames{{"group", "/v1/groups"}, {"agent", "/v1/agents"}};
const std::vector<NameSource> kAgentNames{{"agent", "/v1/agents"}};
const std::vector<NameSource> kConnectionNames{{"agent", "/v1/agents"}, {"user", "/v1/users"}};
const std::vector<Column> kColumns{{"ID", "id"},
                                   {"NAME", "name"},
                                   {"GROUP", "group_name"},
                                   {"TARGET", "target"},
                                   {"LISTEN", "listen"},
                                   {"STATUS", "status"},
                                   {"ENTRANCE", "entrance.state"},
                                   {"OPEN", "open_connections"},
                                   {"TO TARGET", "to_target"},
                                   {"FROM TARGET", "from_target"}};
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
const std::vector<Column> kConnectionColumns{
    {"OPENED", "opened_at"},        {"CLOSED", "closed_at"}, {"SOURCE", "source"},
    {"USER", "user_name"},          {"AGENT", "agent_name"}, {"TO TARGET", "to_target"},
    {"FROM TARGET", "from_target"}, {"END", "end"},          {"DETAIL", "detail"}};

constexpr std::chrono::hours kLongestLife{24 * 366};  // the relay's, too

// A duration from now, or an instant.
std::optional<WallTime> end_of(std::string_view when, WallTime now) {
  const auto duration = parse_duration(when);
  if (!duration) return parse_rfc3339(when);
  return *duration > kLongestLife ? std::nullopt : std::optional(now + *duration);
}

Result<void> check_create(const Arguments& arguments) {
  const auto when = arguments.get("expires");
  if (arguments.has("expires") && !end_of(when, WallTime()))
    return fail(Errc::invalid, fmt::format("--expires takes a duration up to 366d, such as 8h, or a time such as "
                                           "2026-01-31T09:30:00Z, not '{}'",
                                           when));
  const auto idle = parse_duration(arguments.get("idle"));
  if (idle && *idle < std::chrono::seconds(1)) return fail(Errc::invalid, "--idle takes a duration of at least 1s");
  return {};
}

ValueMap limits_of(const Arguments& arguments) {
  ValueMap limits;
  if (const auto most = arguments.number("connections")) limits.emplace(Value("connections"), Value(*most));
  if (const auto rate = arguments.number("rate")) limits.emplace(Value("bytes_per_second"), Value(*rate));
  if (const auto idle = parse_duration(arguments.get("idle"))) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*idle);
    limits.emplace(Value("idle_seconds"), Value(static_cast<std::int64_t>(seconds.count())));
  }
  return limits;
}

Result<ValueMap> order_of(const Context& context, Client& client, const Arguments& arguments) {
  const auto group = arguments.get("group");
  ValueMap body{{Value("name"), Value(arguments.positional(0))},
                {Value(is_ulid(group, "grp_") ? "group" : "group_name"), Value(group)},
                {Value("target"), Value(arguments.get("target"))}};
  if (arguments.has("agent")) {
    SP_TRY(auto agent, id_of(client, "agent", "agt_", "/v1/agents", arguments.get("agent")));
    body.emplace(Value("agent"), Value(std::move(agent)));
  }
  if (arguments.has("listen")) body.emplace(Value("listen"), Value(arguments.get("listen")));
  if (arguments.has("role") || arguments.has("token")) {
    ValueList roles, tokens;
    for (const auto& role : arguments.all("role")) roles.emplace_back(role);
    for (const auto& token : arguments.all("token")) tokens.emplace_back(token);
    body.emplace(Value("access"), Value(ValueMap{{Value("roles"), Value(std::move(roles))},
                                                 {Value("tokens"), Value(std::move(tokens))}}));
  }
  ValueList networks;
  for (const auto& network : arguments.all("from")) networks.emplace_back(network);
  if (!networks.empty()) body.emplace(Value("networks"), Value(std::move(networks)));
  if (auto limits = limits_of(arguments); !limits.empty()) body.emplace(Value("limits"), Value(std::move(limits)));
  const auto end = end_of(arguments.get("expires"), context.clock->wall());
  if (end) body.emplace(Value("expires_at"), Value(rfc3339(*end)));
  return body;
}

Error not_creatable(Error error, const Arguments& arguments) {
  if (error.code != Errc::not_found || !arguments.has("agent"))
    return about(std::move(error), "group", arguments.get("group"));
  error.message = fmt::format("there is no group \"{}\" with an agent \"{}\"; see: sallyport agent list",
                              terminal_safe(arguments.get("group")), terminal_safe(arguments.get("agent")));
  return error;
}

std::string line_of(const Value* listed) {
  if (listed == nullptr || !listed->is(Value::Kind::list)) return cell_of(listed);
  std::string line;
  for (const auto& one : listed->as_list()) line += (line.empty() ? "" : ", ") + cell_of(&one);
  return line;
}

std::string networks_of(const Value& tunnel) { return line_of(tunnel.find("networks")); }

std::string access_of(const Value& tunnel) {
  const auto* access = tunnel.find("access");
  if (access == nullptr) return "";
  const auto roles = line_of(access->find("roles")), tokens = line_of(access->find("tokens"));
  return roles + (roles.empty() || tokens.empty() ? "" : ", ") + tokens;
}

std::string card_of_tunnel(const Value& tunnel) {
  auto shown = tunnel.as_map();
  shown.insert_or_assign(Value("networks"), Value(networks_of(tunnel)));
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

std::string entrance_text(const Value& tunnel) {
  const auto listen = text_of(tunnel, "listen");
  if (listen.empty()) {
    return fmt::format("it has no listener on the relay; open it on a workstation: sallyport tunnel open {}\n",
                       terminal_safe(text_of(tunnel, "name")));
  }
  const auto* entrance = tunnel.find("entrance");
  const auto problem = entrance == nullptr ? std::string() : text_of(*entrance, "problem");
  if (!problem.empty()) return fmt::format("it does not listen on {}: {}\n", listen, terminal_safe(problem));
  return fmt::format("it listens on {} of the relay's machine, for {}\n", terminal_safe(listen), networks_of(tunnel));
}

// The same value with names beside its ids.
Value named(Client& client, Value value) {
  auto whole = with_names(client, std::move(value), kNames).as_map();
  if (const auto reach = whole.find(Value("reach")); reach != whole.end())
    reach->second = with_names(client, reach->second, kAgentNames);
  return Value(std::move(whole));
}

int create(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(auto body, order_of(context, client, arguments));
    auto made = client.post_once("/v1/tunnels", Value(std::move(body)));
    if (!made) return std::unexpected(not_creatable(std::move(made).error(), arguments));
    const auto tunnel = named(client, *std::move(made));
    const auto* reach = tunnel.find("reach");
    context.show(tunnel,
                 fmt::format("tunnel {} made\n{}{}", terminal_safe(text_of(tunnel, "name")), entrance_text(tunnel),
                             reach == nullptr ? "" : reach_text(*reach, text_of(tunnel, "target"))));
    return {};
  });
}

Result<std::string> tunnel_id(Client& client, const Arguments& arguments) {
  return id_of(client, "tunnel", "tun_", "/v1/tunnels", arguments.positional(0));
}

int list(Context& context, const Arguments& arguments) {
  const auto query = arguments.has("status") ? "?status=" + arguments.get("status") : std::string();
  return listing("/v1/tunnels" + query, kColumns, kNames)(context, arguments);
}

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    SP_TRY(auto tunnel, about(client.get(fill("/v1/tunnels/{}", id)), "tunnel", arguments.positional(0)));
    const auto shown = named(client, std::move(tunnel));
    context.show(shown, card_of_tunnel(shown));
    return {};
  });
}

int check(Context& context, const Arguments& arguments) {
  bool reachable = false;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    const auto path = fill("/v1/tunnels/{}", id);
    SP_TRY(const auto tunnel, about(client.get(path), "tunnel", arguments.positional(0)));
    SP_TRY(auto said, about(client.post(path + "/check", Value(ValueMap{})), "tunnel", arguments.positional(0)));
    const auto reach = with_names(client, std::move(said), kAgentNames);
    context.show(reach, reach_text(reach, text_of(tunnel, "target")));
    reachable = is_reachable(reach);
    return {};
  });
  return asked != kDone || reachable ? asked : kFailed;
}

int change(Context& context, const Arguments& arguments, std::string_view verb) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    const auto path = fmt::format("{}/{}", fill("/v1/tunnels/{}", id), verb);
    SP_TRY(auto tunnel, about(client.post(path, Value(ValueMap{})), "tunnel", arguments.positional(0)));
    const auto shown = named(client, std::move(tunnel));
    context.show(shown, card_of_tunnel(shown));
    return {};
  });
}

int pause(Context& context, const Arguments& arguments) { return change(context, arguments, "pause"); }
int resume(Context& context, const Arguments& arguments) { return change(context, arguments, "resume"); }

int remove(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    SP_TRY(const auto done, about(client.remove(fill("/v1/tunnels/{}", id)), "tunnel", arguments.positional(0)));
    context.show(done, fmt::format("tunnel {} removed; its access records stay: sallyport tunnel connections {}\n",
                                   terminal_safe(arguments.positional(0)), id));
    return {};
  });
}

int connections(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    SP_TRY(const auto list, about(list_some(client, fill("/v1/tunnels/{}/connections", id), part_of(arguments)),
                                  "tunnel", arguments.positional(0)));
    auto rows = list.find("items")->as_list();
    add_names(client, rows, kConnectionNames);
    const auto text = table_of(rows, kConnectionColumns);
    auto shown = list.as_map();
    shown.insert_or_assign(Value("items"), Value(std::move(rows)));
    context.show(Value(std::move(shown)), text);
    tell_more(context, list);
    return {};
  });
}

Command create_command() {
  return {"tunnel",
          "create",
          {"NAME"},
          {{"group", "GROUP", "agent group whose agents reach the target", Need::required},
           {"target", "HOST:PORT", "where it leads, as the agent's policy names it", Need::required},
           {"agent", "AGENT", "only this agent of the group (whichever is linked)"},
           {"listen", "ADDRESS:PORT", "where the relay takes connections, on its own machine"},
           {"from", "CIDR...", "from where they may come (the relay's machine); may repeat"},
           {"role", "owner|editor|viewer...", "who may open it from a workstation (owners and editors); may repeat"},
           {"token", "TOKEN...", "API tokens that may open it besides, by id; may repeat"},
           {"connections", "1..1000", "open at one time (100)"},
           {"rate", "N", "bytes a second of one connection, in each direction (no limit)"},
           {"idle", "DURATION", "end a connection without a byte for so long (no limit)"},
           {"expires", "WHEN", "its end: 8h, or 2026-01-31T09:30:00Z (none)"}},
          "make a tunnel, and say whether its target can be reached now",
          create,
          check_create,
          "The tunnel is made also when the target cannot be reached yet, or the agent's\n"
          "policy does not allow it yet; then it says what to write into policy.yaml."};
}

}  // namespace

std::vector<Command> tunnel_commands() {
  return {
      create_command(),
      {"tunnel", "list", {}, {{"status", "active|paused", "only these"}}, "tunnels, and how each stands", list},
      {"tunnel", "show", {"TUNNEL"}, {}, "one tunnel, by name or id", show},
      {"tunnel",
       "check",
       {"TUNNEL"},
       {},
       "ask an agent now; exit code 0 only when its policy allows the target and the target answers",
       check},
      open_command(),
      watch_command(),
      {"tunnel", "pause", {"TUNNEL"}, {}, "close its listener and cut its connections", pause},
      {"tunnel", "resume", {"TUNNEL"}, {}, "listen again", resume},
      {"tunnel", "delete", {"TUNNEL"}, {}, "remove a tunnel and cut its connections; access records stay", remove},
      {"tunnel",
       "connections",
       {"TUNNEL"},
       {{"limit", "N", "at most so many (50)"}, {"cursor", "CURSOR", "go on after an earlier list: its `next`"}},
       "access records, newest first: who, when, how much, and why it ended; of a removed tunnel by its id",
       connections},
  };
}

}  // namespace sallyport::cli
