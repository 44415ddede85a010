#include "agent/policy/config.h"

#include "agent/platform/secret_file.h"
#include "agent/platform/text_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

namespace sallyport::policy {
namespace {

using Source = vault::SecretRef::Source;

// Collects the problems of several files.
class Check {
 public:
  explicit Check(std::string directory) : directory_(std::move(directory)) {}

  template <class T, class Parse>
  void load(std::string_view file, Parse parse, T& into) {
    auto text = platform::read_text_file(directory_ + "/" + std::string(file));
    if (!text) return add(file, {}, "unreadable-file", text.error().message);
    auto parsed = parse(*text, file, directory_);
    if (parsed) {
      into = *std::move(parsed);
    } else {
      problems_.insert(problems_.end(), parsed.error().begin(), parsed.error().end());
    }
  }

  void add(std::string_view file, yaml::Position at, std::string_view rule, std::string message) {
    problems_.push_back({std::string(file), at.line, at.column, std::string(rule), std::move(message)});
  }

  void check_secret(std::string_view file, yaml::Position at, const vault::SecretRef& ref) {
    if (ref.source != Source::file) return;
    if (auto good = platform::check_secret_file(ref.where); !good) add(file, at, "secret-file", good.error().message);
  }

  yaml::Problems take() { return std::move(problems_); }
  bool clean() const { return problems_.empty(); }

 private:
  std::string directory_;
  yaml::Problems problems_;
};

constexpr std::string_view kAgent = "agent.yaml", kConnections = "connections.yaml", kPolicy = "policy.yaml";

void check_connection(Check& check, const Connection& connection) {
  std::error_code ignored;
  if (const auto* file = connection.file(); file != nullptr && !std::filesystem::is_directory(file->root, ignored)) {
    check.add(kConnections, connection.at, "missing-root",
              fmt::format("connection {}: {} is no directory this agent can see", connection.name, file->root));
  }
  for (const auto& secret : connection.secrets()) check.check_secret(kConnections, connection.at, secret);
}

template <class Entries>
std::string nearest_of(std::string_view name, const Entries& entries) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry.first);
  return yaml::suggestion(name, names);
}

std::string no_connection(const Config& config, std::string_view name) {
  return fmt::format("connections.yaml has no connection {}{}", name, nearest_of(name, config.connections));
}

void check_secret_fits(Check& check, const Config& config, const SecretRule& secret) {
  check.check_secret(kPolicy, secret.at, secret.source);
  const SecretRule::List none;
  const auto& connections = secret.connections ? *secret.connections : none;
  for (const auto& name : connections.names) {
    if (!config.connections.contains(name))
      check.add(kPolicy, connections.at, "unknown-connection", no_connection(config, name));
  }
  const auto& commands = secret.commands ? *secret.commands : none;
  for (const auto& name : commands.names) {
    if (!config.policy.find_command(name))
      check.add(kPolicy, commands.at, "unknown-command",
                fmt::format("`commands` has no {}{}", name, nearest_of(name, config.policy.commands())));
  }
}

void check_paths(Check& check, std::string_view name, const ConnectionPolicy& rules, const ListenConnection& listener) {
  for (const auto& entry : rules.listen.entries) {
    if (listener.find(entry.path) == nullptr)
      check.add(kPolicy, rules.at, "unknown-path", fmt::format("connection {} has no sender for {}", name, entry.path));
  }
}

void check_policy_fits(Check& check, const Config& config) {
  for (const auto& [name, secret] : config.policy.secrets()) check_secret_fits(check, config, secret);
  for (const auto& [name, rules] : config.policy.connections()) {
    const auto it = config.connections.find(name);
    if (it == config.connections.end()) {
      check.add(kPolicy, rules.at, "unknown-connection", no_connection(config, name));
      continue;
    }
    const auto kind = it->second.kind();
    if (!rules.files.empty() && kind != "file" && kind != "ssh" && kind != "ftps" && kind != "smb")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `files` does not apply", name, kind));
    if (rules.sql_verbs != 0 && kind != "sql")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `sql` does not apply", name, kind));
    if (rules.ldap.verbs != 0 && kind != "ldap")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `ldap` does not apply", name, kind));
    if (rules.http && kind != "http")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `http` does not apply", name, kind));
    if (!rules.mail.recipients.empty() && kind != "smtp")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `mail` does not apply", name, kind));
    if (!rules.amqp.allows_nothing() && kind != "amqp")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `amqp` does not apply", name, kind));
    if (!rules.kafka.allows_nothing() && kind != "kafka")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `kafka` does not apply", name, kind));
    if (!rules.listen.entries.empty() && kind != "http-listen")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `listen` does not apply", name, kind));
    if (const auto* listener = it->second.listen()) check_paths(check, name, rules, *listener);
    if (!rules.commands.empty() && kind != "ssh")
      check.add(kPolicy, rules.at, "wrong-connection",
                fmt::format("{} is of kind {}: `commands` does not apply", name, kind));
  }
}

}  // namespace

std::expected<Config, yaml::Problems> load_config(const std::string& directory) {
  if (auto good = platform::check_operators_folder(directory); !good)
    return std::unexpected(yaml::Problems{{directory, 0, 0, "unsafe-folder", good.error().message}});
  Check check(directory);
  Config config;
  check.load(kAgent, parse_agent_config, config.agent);
  check.load(kConnections, parse_connections, config.connections);
  check.load(kPolicy, parse_policy, config.policy);
  if (check.clean()) check_policy_fits(check, config);
  check.check_secret(kAgent, {}, config.agent.proxy.password);
  for (const auto& [name, connection] : config.connections) check_connection(check, connection);
  if (!check.clean()) return std::unexpected(check.take());
  return config;
}

}  // namespace sallyport::policy
