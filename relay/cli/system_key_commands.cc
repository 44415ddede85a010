#include "relay/cli/commands.h"
#include "relay/cli/profile.h"
#include "relay/cli/requests.h"
#include "relay/cli/sealed_order.h"
#include "shared/sealing/limits.h"

#include <fmt/format.h>

#include <chrono>

namespace sallyport::cli {
namespace {

constexpr std::string_view kPath = "/v1/system-keys/{}";

const std::vector<Column> kColumns{
    {"NAME", "name"}, {"GROUP", "group_name"}, {"VERSION", "version"}, {"VALUES", "values"}, {"SET", "set_at"}};
const std::vector<Column> kAgentColumns{{"AGENT", "name"}, {"STATE", "state"}, {"ID", "agent"}};
const std::vector<Column> kRecipientColumns{{"AGENT", "name"}, {"SEALING KEY", "fingerprint"}, {"ID", "agent"}};
const std::vector<NameSource> kNames{{"group", "/v1/groups"}};

std::string trimmed_line(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

// From standard input or a file, never from the command line, which others can see.
Result<sealing::Credentials> read_values(const Context& context, const Arguments& arguments) {
  SP_TRY(auto text, read_input(context, arguments.get("file", "-"), 4 * sealing::kMostCredentials));
  if (arguments.has("json")) return sealing::read_json_credentials(Secret::take(text));
  sealing::Credentials credentials;
  credentials.emplace(arguments.get("value", "password"), Secret::take(trimmed_line(std::move(text))));
  SP_CHECK(sealing::format_credentials(credentials));  // within the limits
  return credentials;
}

Result<Trusted> what_is_trusted(const Context& context, Client& client, const Arguments& arguments) {
  SP_TRY(const auto endpoint, load_endpoint(context));
  SP_TRY(auto root, crypto::Certificate::from_pem(endpoint.root_pem));
  SP_TRY(const auto who, client.get("/v1/whoami"));
  const auto* organisation = who.find("organisation");
  OrgId org(organisation != nullptr ? text_of(*organisation, "id") : "");
  if (arguments.has("organisation") && arguments.get("organisation") != org.value) {
    return fail(Errc::unauthenticated,
                fmt::format("the relay says that this login is of the organisation {}, not of {}", org.value,
                            arguments.get("organisation")));
  }
  const auto named = arguments.all("agent-key");
  return Trusted{std::move(root), std::move(org), {named.begin(), named.end()}};
}

// The one after the present; the first is above any that was removed.
Result<std::uint64_t> next_version(const Context& context, Client& client, const std::string& name) {
  const auto present = client.get(fill(kPath, name));
  if (!present && present.error().code != Errc::not_found) return std::unexpected(present.error());
  if (!present) return static_cast<std::uint64_t>(unix_ms(context.clock->wall()) / 1000);
  const auto* version = present->find("version");
  if (version == nullptr || !version->is(Value::Kind::int64)) return fail(Errc::internal, "the relay tells no version");
  return static_cast<std::uint64_t>(version->as_int()) + 1;
}

ValueList names_of(const sealing::Credentials& credentials) {
  ValueList names;
  for (const auto& [name, value] : credentials) names.emplace_back(name);
  return names;
}

std::string told(const std::string& name, const SealedOrder& order) {
  ValueList rows;
  for (const auto& [agent, agent_name, fingerprint] : order.to) {
    rows.emplace_back(ValueMap{{Value("agent"), Value(agent)},
                               {Value("name"), Value(agent_name)},
                               {Value("fingerprint"), Value(fingerprint)}});
  }
  return fmt::format(
             "{} is sealed to {} agent{}; at each of them `sallyport-agent sealing-key show` has to tell the same:\n",
             name, order.to.size(), order.to.size() == 1 ? "" : "s") +
         table_of(rows, kRecipientColumns);
}

Result<void> set_key(Context& context, Client& client, const Arguments& arguments) {
  const std::string name(arguments.positional(0));
  if (!sealing::is_key_name(name)) {
    return fail(Errc::invalid,
                "the name of a system key is 1 to 64 lower-case letters, digits and inner hyphens, a letter first");
  }
  SP_TRY(const auto credentials, read_values(context, arguments));
  SP_TRY(const auto trusted, what_is_trusted(context, client, arguments));
  SP_TRY(const auto group, id_of(client, "group", "grp_", "/v1/groups", arguments.get("group")));
  SP_TRY(const auto listed, client.get("/v1/sealing-keys?group=" + group));
  SP_TRY(const auto version, next_version(context, client, name));
  SP_TRY(auto order, seal_to_agents(listed.find("items")->as_list(), trusted, {GroupId(group), name, version},
                                    credentials, context.clock->wall()));
  for (const auto& [agent, why] : order.left_out)
    context.complain(fmt::format("not sealed to agent {}: {}", agent, why));
  if (order.to.empty()) return fail(Errc::not_found, "no agent of the group has a sealing key: nothing was set");
  const auto text = told(name, order);
  const Value body(ValueMap{{Value("group"), Value(group)},
                            {Value("version"), Value(static_cast<std::int64_t>(version))},
                            {Value("values"), Value(names_of(credentials))},
                            {Value("sealed"), Value(std::move(order.sealed))}});
  SP_TRY(const auto key, client.put(fill(kPath, name), body));
  context.show(key, text);
  return {};
}

int list_keys(Context& context, const Arguments&) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto list, client.get("/v1/system-keys"));
    const auto* items = list.find("items");
    auto rows = items != nullptr && items->is(Value::Kind::list) ? items->as_list() : ValueList();
    add_names(client, rows, kNames);
    context.show(list, table_of(rows, kColumns));
    return {};
  });
}

int show_key(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    SP_TRY(const auto plain,
           about(client.get(fill(kPath, arguments.positional(0))), "system key", arguments.positional(0)));
    const auto key = with_names(client, plain, kNames);
    const auto* agents = key.find("agents");
    const bool listed = agents != nullptr && agents->is(Value::Kind::list);
    context.show(key,
                 card_of(key, kColumns) + "\n" + table_of(listed ? agents->as_list() : ValueList(), kAgentColumns));
    return {};
  });
}

int remove_key(Context& context, const Arguments& arguments) {
  return with_client(context, [&](Client& client) -> Result<void> {
    const auto name = arguments.positional(0);
    SP_TRY(const auto done, about(client.remove(fill(kPath, name)), "system key", name));
    context.show(
        done,
        fmt::format("system key {} removed: agents that are linked forget it now, others when they link\n", name));
    return {};
  });
}

}  // namespace

std::vector<Command> system_key_commands() {
  return {
      {"system-keys", "list", {}, {}, "names and versions of system keys, never a value", list_keys},
      {"system-keys", "show", {"NAME"}, {}, "which agents have a system key, and which lack it", show_key},
      {"system-keys",
       "set",
       {"NAME"},
       {{"group", "NAME", "the agents that may use it", Need::required},
        {"value", "NAME", "what the value is called (password)"},
        {"json", "", "the input is a JSON object of texts, one for each value"},
        {"file", "FILE", "where the value is read from (standard input)"},
        {"agent-key", "FINGERPRINT...", "seal to agents with these sealing keys only"},
        {"organisation", "ORG", "refuse when the relay says that the login is of another"}},
       "seal credentials on this machine to the agents of a group",
       [](Context& context, const Arguments& arguments) {
         return with_client(context, [&](Client& client) { return set_key(context, client, arguments); });
       },
       [](const Arguments& arguments) -> Result<void> {
         if (arguments.has("json") && arguments.has("value"))
           return fail(Errc::invalid, "--json names its values itself: leave --value out");
         return {};
       },
       "The relay gets ciphertext alone. Run it again when an agent joins the group, or when one is\n"
       "shown as outdated or unopenable."},
      {"system-keys", "remove", {"NAME"}, {}, "remove a system key from the relay and its agents", remove_key},
  };
}

}  // namespace sallyport::cli
