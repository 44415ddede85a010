#include "relay/cli/authorization.h"

#include "relay/cli/requests.h"

#include <fmt/format.h>

#include <chrono>

namespace sallyport::cli {
namespace {

constexpr std::chrono::minutes kMost{11};  // the relay forgets it before that
constexpr std::chrono::milliseconds kBetweenLooks{1'000};

// The one that has a connection of this name.
Result<std::string> only_agent(Client& client, std::string_view connection) {
  SP_TRY(const auto list, list_all(client, "/v1/connections"));
  std::string agent;
  for (const auto& one : list.find("items")->as_list()) {
    if (text_of(one, "name") != connection) continue;
    if (!agent.empty())
      return fail(Errc::conflict,
                  fmt::format("several agents have a connection {}: say which by --agent; each needs an "
                              "authorization of its own",
                              terminal_safe(std::string(connection))));
    agent = text_of(one, "agent");
  }
  if (!agent.empty()) return agent;
  return fail(Errc::not_found, fmt::format("no agent has a connection \"{}\"; see: sallyport connection list",
                                           terminal_safe(std::string(connection))));
}

Result<Value> await_end(const Context& context, Client& client, const std::string& id) {
  const auto deadline = context.clock->steady() + kMost;
  for (;;) {
    auto facts = client.get(fill("/v1/authorizations/{}", id));
    if (!facts && facts.error().code == Errc::not_found)
      return fail(Errc::timed_out, "nobody came back from the browser in time: begin again");
    const bool waits = facts ? text_of(*facts, "state") == "waiting" || text_of(*facts, "state") == "exchanging"
                             : may_pass(facts.error().code);
    if (!waits) return facts;
    if (context.clock->steady() >= deadline) return fail(Errc::timed_out, "it does not end: begin again");
    context.pause(kBetweenLooks);
  }
}

Result<void> authorize(const Context& context, Client& client, const Arguments& arguments) {
  const std::string name(arguments.positional(0));
  auto agent = arguments.has("agent") ? id_of(client, "agent", "agt_", "/v1/agents", arguments.get("agent"))
                                      : only_agent(client, name);
  if (!agent) return std::unexpected(std::move(agent).error());
  SP_TRY(const auto begun, client.post("/v1/authorizations", Value(ValueMap{{Value("agent"), Value(*agent)},
                                                                            {Value("connection"), Value(name)}})));
  context.show_line(begun, fmt::format("Open this address in a browser, and log in, until {}:\n\n{}\n\n",
                                       text_of(begun, "expires_at"), terminal_safe(text_of(begun, "url"))));
  SP_TRY(const auto ended, await_end(context, client, text_of(begun, "id")));
  if (text_of(ended, "state") != "authorized")
    return fail(Errc::conflict, "not authorized: " + terminal_safe(text_of(ended, "message")));
  context.show_line(ended, fmt::format("The connection {} is authorized.\n", terminal_safe(name)));
  return {};
}

}  // namespace

int authorize_connection(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) { return authorize(context, client, arguments); });
}

}  // namespace sallyport::cli
