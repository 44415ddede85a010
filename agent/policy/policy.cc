#include "agent/policy/policy.h"

#include "agent/policy/action_pattern.h"
#include "agent/policy/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

std::unexpected<Refusal> refuse(std::string rule, std::string message) {
  return std::unexpected(Refusal{std::move(rule), std::move(message)});
}

bool covers(std::string_view directory, std::string_view path) {
  if (directory == "." || directory == path) return true;
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool allows(const FileRule& rule, FileVerb verb) { return (rule.verbs & static_cast<unsigned>(verb)) != 0; }

}  // namespace

std::string_view to_string(FileVerb verb) {
  switch (verb) {
    case FileVerb::read: return "read";
    case FileVerb::write: return "write";
    case FileVerb::remove: return "delete";
  }
  return "";
}

const ConnectionPolicy* Policy::find(std::string_view connection) const {
  const auto it = connections_.find(connection);
  return it == connections_.end() ? nullptr : &it->second;
}

Verdict<> Policy::check_action(std::string_view action, std::string_view connection) const {
  if (reaches_nothing(action)) return {};
  if (std::ranges::none_of(actions_, [&](const ActionRule& rule) { return action_matches(rule.pattern, action); })) {
    return refuse(
        actions_rule_,
        fmt::format("the local policy of this agent does not allow {}; the operator can add it to `actions`", action));
  }
  if (!connection.empty() && find(connection) == nullptr) {
    return refuse(file_ + " connections",
                  fmt::format("the local policy of this agent has no rule for the connection {}", connection));
  }
  return {};
}

Verdict<> Policy::check_file(std::string_view connection, FileVerb verb, std::string_view path) const {
  const auto* rules = find(connection);
  if (rules == nullptr)
    return refuse(file_ + " connections",
                  fmt::format("the local policy of this agent has no rule for the connection {}", connection));
  const FileRule* nearest = nullptr;
  for (const auto& rule : rules->files) {
    if (!covers(rule.directory, parent_of(path))) continue;
    if (!glob_matches(rule.pattern, name_of(path))) continue;
    if (allows(rule, verb)) return {};
    nearest = &rule;
  }
  return refuse(nearest == nullptr ? rules->files_rule : nearest->rule,
                fmt::format("the local policy of this agent does not allow to {} {} on the connection {}",
                            to_string(verb), path, connection));
}

Verdict<> Policy::check_directory(std::string_view connection, std::string_view path) const {
  const auto* rules = find(connection);
  if (rules == nullptr)
    return refuse(file_ + " connections",
                  fmt::format("the local policy of this agent has no rule for the connection {}", connection));
  const auto readable = [&](const FileRule& rule) {
    return allows(rule, FileVerb::read) && covers(rule.directory, path);
  };
  if (std::ranges::any_of(rules->files, readable)) return {};
  return refuse(
      rules->files_rule,
      fmt::format("the local policy of this agent does not allow to read the directory {} of the connection {}", path,
                  connection));
}

Verdict<SqlVerbs> Policy::check_sql(std::string_view connection, std::string_view text, SqlDialect dialect) const {
  const auto* rules = find(connection);
  if (rules == nullptr)
    return refuse(file_ + " connections",
                  fmt::format("the local policy of this agent has no rule for the connection {}", connection));
  const auto tokens = tokenize_sql(text, dialect);
  if (!tokens) return refuse(rules->sql_rule, tokens.error().message);
  const auto verbs = verbs_of(*tokens);
  if (!verbs) return refuse(rules->sql_rule, verbs.error().message);
  if (const auto missing = *verbs & ~rules->sql_verbs; missing != 0) {
    return refuse(
        rules->sql_rule,
        fmt::format("the statement needs the verb {} on the connection {}; the local policy of this agent allows {}",
                    to_string(missing), connection, to_string(rules->sql_verbs)));
  }
  return *verbs;
}

SqlVerbs Policy::sql_verbs(std::string_view connection) const {
  const auto* rules = find(connection);
  return rules == nullptr ? 0 : rules->sql_verbs;
}

Verdict<const LdapRule*> Policy::find_ldap(std::string_view connection) const {
  const auto* rules = find(connection);
  if (rules != nullptr) return &rules->ldap;
  return refuse(file_ + " connections",
                fmt::format("the local policy of this agent has no rule for the connection {}", connection));
}

Verdict<const HttpPolicy*> Policy::find_http(std::string_view connection) const {
  const auto* rules = find(connection);
  if (rules != nullptr && rules->http) return &*rules->http;
  return refuse(fmt::format("{} connections.{}.http", file_, connection),
                fmt::format("the local policy of this agent has no `http` for the connection {}", connection));
}

Verdict<const AmqpRule*> Policy::find_amqp(std::string_view connection) const {
  const auto* rules = find(connection);
  if (rules != nullptr) return &rules->amqp;
  return refuse(file_ + " connections",
                fmt::format("the local policy of this agent has no rule for the connection {}", connection));
}

Verdict<const KafkaRule*> Policy::find_kafka(std::string_view connection) const {
  const auto* rules = find(connection);
  if (rules != nullptr) return &rules->kafka;
  return refuse(file_ + " connections",
                fmt::format("the local policy of this agent has no rule for the connection {}", connection));
}

Verdict<const ListenRule*> Policy::find_listen(std::string_view connection) const {
  const auto* rules = find(connection);
  if (rules != nullptr) return &rules->listen;
  return refuse(file_ + " connections",
                fmt::format("the local policy of this agent has no rule for the connection {}", connection));
}

Verdict<> Policy::check_recipient(std::string_view connection, std::string_view address) const {
  const auto* rules = find(connection);
  if (rules != nullptr) return rules->mail.check_recipient(address);
  return refuse(file_ + " connections",
                fmt::format("the local policy of this agent has no rule for the connection {}", connection));
}

Verdict<const CommandTemplate*> Policy::find_command(std::string_view name) const {
  const auto it = commands_.find(name);
  if (it != commands_.end()) return &it->second;
  return refuse(file_ + " commands",
                fmt::format("the local policy of this agent has no command named {}", name.substr(0, 64)));
}

Verdict<const CommandTemplate*> Policy::find_remote_command(std::string_view connection, std::string_view name) const {
  const auto* rules = find(connection);
  if (rules == nullptr)
    return refuse(file_ + " connections",
                  fmt::format("the local policy of this agent has no rule for the connection {}", connection));
  const auto it = rules->commands.find(name);
  if (it != rules->commands.end()) return &it->second;
  return refuse(rules->commands_rule, fmt::format("the local policy of this agent has no command named {} for {}",
                                                  name.substr(0, 64), connection));
}

Verdict<const vault::SecretRef*> Policy::check_secret(const SecretUse& use) const {
  const auto it = secrets_.find(use.name);
  if (it == secrets_.end()) {
    return refuse(file_ + " secrets", fmt::format("the local policy of this agent has no secret named {} for recipes",
                                                  use.name.substr(0, 64)));
  }
  if (auto allowed = check_secret_use(it->second, use); !allowed) return std::unexpected(std::move(allowed).error());
  return &it->second.source;
}

Verdict<> Policy::check_tunnel(std::string_view host, std::uint16_t port) const {
  const auto same = [&](const TunnelTarget& target) { return target.host == host && target.port == port; };
  if (std::ranges::any_of(tunnels_, same)) return {};
  const auto shown = host.contains(':') ? fmt::format("[{}]", host) : std::string(host);
  return refuse(file_ + " tunnels",
                fmt::format("the local policy of this agent has no tunnel target {}:{}", shown, port));
}

StepLimits Policy::limits(std::string_view connection) const {
  const auto* rules = find(connection);
  return rules == nullptr ? limits_ : rules->limits;
}

}  // namespace sallyport::policy
