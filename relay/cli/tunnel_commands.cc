#include "relay/cli/commands.h"
#include "relay/cli/reach_text.h"
#include "relay/cli/requests.h"
#include "relay/cli/tunnel_card.h"
#include "relay/cli/tunnel_open.h"
#include "relay/cli/tunnel_options.h"
#include "relay/cli/tunnel_update.h"
#include "relay/cli/tunnel_watch.h"
#include "shared/base/ids.h"
#include "shared/base/text.h"

#include <fmt/format.h>

namespace sallyport::cli {
namespace {

const std::vector<NameSource> kGroupNames{{"group", "/v1/groups"}};
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
const std::vector<Column> kConnectionColumns{
    {"OPENED", "opened_at"},        {"CLOSED", "closed_at"}, {"SOURCE", "source"},
    {"USER", "user_name"},          {"AGENT", "agent_name"}, {"TO TARGET", "to_target"},
    {"FROM TARGET", "from_target"}, {"END", "end"},          {"DETAIL", "detail"}};

Result<ValueMap> order_of(const Context& context, Client& client, const Arguments& arguments) {
  const auto group = arguments.get("group");
  auto body = tunnel_terms(context, arguments);
  body.emplace(Value("name"), Value(arguments.positional(0)));
  body.emplace(Value(is_ulid(group, "grp_") ? "group" : "group_name"), Value(group));
  body.emplace(Value("target"), Value(arguments.get("target")));
  if (arguments.has("listen")) body.emplace(Value("listen"), Value(arguments.get("listen")));
  if (arguments.has("agent")) {
    SP_TRY(auto agent, id_of(client, "agent", "agt_", "/v1/agents", arguments.get("agent")));
    body.emplace(Value("agent"), Value(std::move(agent)));
  }
  return body;
}

// The relay does not say which of several things is absent.
Error not_creatable(Error error, const Arguments& arguments) {
  if (error.code != Errc::not_found || (!arguments.has("agent") && !arguments.has("token")))
    return about(std::move(error), "group", arguments.get("group"));
  error.message = fmt::format("there is no group \"{}\"", terminal_safe(arguments.get("group")));
  if (arguments.has("agent"))
    error.message += fmt::format(" with an agent \"{}\"", terminal_safe(arguments.get("agent")));
  if (arguments.has("token")) error.message += ", or no such API token as --token names";
  error.message += arguments.has("agent") ? "; see: sallyport agent list" : "; see: sallyport group list";
  if (arguments.has("token")) error.message += ", sallyport token list";
  return error;
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
  return fmt::format("it listens on {} of the relay's machine, for {}\n", terminal_safe(listen),
                     networks_of_tunnel(tunnel));
}

// From where connections may come to a listener that is not there, nobody has to say.
Result<void> check_create(const Arguments& arguments) {
  if (arguments.has("from") && !arguments.has("listen"))
    return fail(
        Errc::invalid,
        "--from is for the tunnel's listener, and there is none without --listen: leave it out; who may open the "
        "tunnel from a workstation is said by --role and --token");
  return check_tunnel_options(arguments);
}

int create(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(auto body, order_of(context, client, arguments));
    auto made = client.post_once("/v1/tunnels", Value(std::move(body)));
    if (!made) return std::unexpected(not_creatable(std::move(made).error(), arguments));
    const auto tunnel = named_tunnel(client, *std::move(made));
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
  return listing("/v1/tunnels" + query, kColumns, kGroupNames)(context, arguments);
}

int show(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    SP_TRY(auto tunnel, about(client.get(fill("/v1/tunnels/{}", id)), "tunnel", arguments.positional(0)));
    const auto shown = named_tunnel(client, std::move(tunnel));
    context.show(shown, card_of_tunnel(shown));
    return {};
  });
}

// Why nobody gets into a tunnel whatever its target does; "" when there is no such reason.
std::string closed_text(const Value& tunnel, WallTime now) {
  const auto name = terminal_safe(text_of(tunnel, "name"));
  const auto end = parse_rfc3339(text_of(tunnel, "expires_at"));
  if (text_of(tunnel, "status") == "paused")
    return fmt::format("the tunnel is paused, nobody gets in: sallyport tunnel resume {}\n", name);
  if (end && *end <= now)
    return fmt::format("the tunnel has expired, nobody gets in: sallyport tunnel update {} --expires WHEN\n", name);
  return {};
}

int check(Context& context, const Arguments& arguments) {
  bool reachable = false;
  const int asked = with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    const auto path = fill("/v1/tunnels/{}", id);
    SP_TRY(const auto tunnel, about(client.get(path), "tunnel", arguments.positional(0)));
    SP_TRY(auto said, about(client.post(path + "/check", Value(ValueMap{})), "tunnel", arguments.positional(0)));
    const auto reach = with_names(client, std::move(said), kAgentNames);
    const auto closed = closed_text(tunnel, context.clock->wall());
    context.show(reach, reach_text(reach, text_of(tunnel, "target")) + closed);
    if (!closed.empty() && context.format != Format::table) context.complain(closed.substr(0, closed.size() - 1));
    reachable = is_reachable(reach) && closed.empty();
    return {};
  });
  return asked != kDone || reachable ? asked : kFailed;
}

int change(Context& context, const Arguments& arguments, std::string_view verb) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto id, tunnel_id(client, arguments));
    const auto path = fmt::format("{}/{}", fill("/v1/tunnels/{}", id), verb);
    SP_TRY(auto tunnel, about(client.post(path, Value(ValueMap{})), "tunnel", arguments.positional(0)));
    const auto shown = named_tunnel(client, std::move(tunnel));
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
           kFromOption,
           kRoleOption,
           kTokenOption,
           kConnectionsOption,
           kRateOption,
           kIdleOption,
           kExpiresOption},
          "make a tunnel, and say whether its target can be reached now",
          create,
          check_create,
          "The tunnel is made also when the target cannot be reached yet, or the agent's\n"
          "policy does not allow it yet; then it says what to write into policy.yaml.\n"
          "Unless given: --from is the relay's own machine, --role owners and editors (when there\n"
          "is no --token either), --connections 100; the rest is without a limit and an end."};
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
       "ask an agent now; exit code 0 only when its policy allows the target, the target answers and people get in",
       check},
      update_command(),
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
