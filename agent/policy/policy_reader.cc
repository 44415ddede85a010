#include "agent/platform/beneath.h"
#include "agent/policy/action_pattern.h"
#include "agent/policy/glob.h"
#include "agent/policy/policy.h"
#include "agent/policy/reading.h"
#include "shared/base/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {

using yaml::FieldReader;
using yaml::Need;

// Reads policy.yaml into a Policy, remembering where every rule stands.
class PolicyReader {
 public:
  PolicyReader(std::string_view file, std::string_view directory)
      : report_{std::string(file)}, file_(file), directory_(directory) {}

  std::expected<Policy, yaml::Problems> read(std::string_view text) {
    auto root = yaml::parse(text, file_);
    if (!root) return std::unexpected(std::move(root).error());
    FieldReader fields(*root, report_, "policy.yaml");
    policy_.file_ = file_;
    read_version(fields);
    read_actions(fields);
    if (const auto* limits = fields.mapping("limits")) policy_.limits_ = read_limits(*limits, StepLimits());
    if (const auto* all = fields.mapping("connections")) {
      for (const auto& member : all->members) read_connection(member);
    }
    if (const auto* all = fields.mapping("commands")) {
      for (const auto& member : all->members) read_command(member);
    }
    if (const auto* all = fields.mapping("secrets")) {
      for (const auto& member : all->members)
        policy_.secrets_.emplace(member.key, read_secret_rule(member, report_, {file_, directory_}));
    }
    if (const auto* all = fields.sequence("tunnels")) {
      for (std::size_t i = 0; i < all->items.size(); ++i) read_tunnel(all->items[i], i);
    }
    fields.finish();
    if (!report_.clean()) return std::unexpected(report_.take());
    return std::move(policy_);
  }

 private:
  std::string rule_at(yaml::Position at, std::string_view path) const {
    return fmt::format("{}:{} {}", file_, at.line, path);
  }

  void read_actions(FieldReader& fields) {
    policy_.actions_rule_ = rule_at(fields.at("actions"), "actions");
    const auto* list = fields.sequence("actions");
    for (std::size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
      const auto& item = list->items[i];
      if (!item.is_text() || !is_action_pattern(item.text)) {
        report_.add(item.at, "bad-action", "an action is written sql.query@1, or sql.* for all of a kind");
        continue;
      }
      if (const auto wrong = unknown_action(item.text)) report_.add(item.at, "unknown-action", *wrong);
      policy_.actions_.push_back({item.text, rule_at(item.at, fmt::format("actions[{}]", i))});
    }
  }

  StepLimits read_limits(const yaml::Node& node, StepLimits ceiling) {
    FieldReader fields(node, report_, "`limits`");
    StepLimits limits = ceiling;
    constexpr yaml::DurationRange kRunTime{std::chrono::seconds(1), std::chrono::hours(24 * 30)};
    limits.run_time = fields.duration("run_time", kRunTime).value_or(ceiling.run_time);
    constexpr yaml::IntegerRange kRows{1, 1'000'000'000'000};
    limits.rows =
        static_cast<std::uint64_t>(fields.integer("rows", kRows).value_or(static_cast<std::int64_t>(ceiling.rows)));
    limits.bytes = read_size(fields, "bytes", {1}).value_or(ceiling.bytes);
    fields.finish();
    return limits;
  }

  void read_connection(const yaml::Member& member) {
    check_name(report_, member, "connection");
    const auto path = "connections." + member.key;
    FieldReader fields(member.value, report_, fmt::format("the policy of {}", yaml::quoted(member.key)));
    ConnectionPolicy rules;
    rules.limits = policy_.limits_;
    rules.at = member.at;
    rules.files_rule = rule_at(fields.at("files"), path + ".files");
    rules.sql_rule = rule_at(fields.at("sql"), path + ".sql.verbs");
    const auto* files = fields.sequence("files");
    for (std::size_t i = 0; files != nullptr && i < files->items.size(); ++i) {
      rules.files.push_back(read_file_rule(files->items[i], fmt::format("{}.files[{}]", path, i)));
    }
    if (const auto* sql = fields.mapping("sql")) read_sql(*sql, path, rules);
    rules.ldap.rule = rule_at(fields.at("ldap"), path + ".ldap");
    if (const auto* ldap = fields.mapping("ldap")) rules.ldap = read_ldap_rule(*ldap, report_, rules.ldap.rule);
    if (const auto* http = fields.mapping("http")) rules.http = read_http_policy(*http, report_, file_, path + ".http");
    rules.mail.rule = rule_at(fields.at("mail"), path + ".mail.recipients");
    if (const auto* mail = fields.mapping("mail"))
      rules.mail = read_mail_rule(*mail, report_, rule_at(fields.at("mail"), path + ".mail"));
    rules.amqp.rule = rule_at(fields.at("amqp"), path + ".amqp");
    if (const auto* amqp = fields.mapping("amqp")) rules.amqp = read_amqp_rule(*amqp, report_, rules.amqp.rule);
    rules.kafka.rule = rule_at(fields.at("kafka"), path + ".kafka");
    if (const auto* kafka = fields.mapping("kafka")) rules.kafka = read_kafka_rule(*kafka, report_, rules.kafka.rule);
    rules.listen.rule = rule_at(fields.at("listen"), path + ".listen");
    if (const auto* listen = fields.sequence("listen"))
      rules.listen = read_listen_rule(*listen, report_, rules.listen.rule);
    rules.commands_rule = rule_at(fields.at("commands"), path + ".commands");
    if (const auto* all = fields.mapping("commands")) {
      for (const auto& command : all->members) rules.commands.emplace(command.key, read_remote_command(command, path));
    }
    if (const auto* limits = fields.mapping("limits")) {
      const auto own = read_limits(*limits, policy_.limits_);
      rules.limits = {std::min(own.run_time, policy_.limits_.run_time), std::min(own.rows, policy_.limits_.rows),
                      std::min(own.bytes, policy_.limits_.bytes)};
    }
    fields.finish();
    policy_.connections_.emplace(member.key, std::move(rules));
  }

  FileRule read_file_rule(const yaml::Node& node, std::string_view path) {
    FieldReader fields(node, report_, "a file rule");
    FileRule rule;
    rule.rule = rule_at(node.at, path);
    const auto directory = fields.text("directory", Need::required).value_or(".");
    if (auto clean = platform::clean_path(directory)) {
      rule.directory = *std::move(clean);
    } else {
      fields.problem("directory", "bad-path", "`directory` must be relative to the connection's root, without `..`");
    }
    rule.pattern = fields.text("pattern").value_or("*");
    if (!is_glob(rule.pattern))
      fields.problem("pattern", "bad-pattern", "`pattern` is for a file's name: `*`, `?`, `[a-z]`, no slash");
    constexpr std::array<std::string_view, 3> kVerbs{"read", "write", "delete"};
    constexpr std::array kBits{FileVerb::read, FileVerb::write, FileVerb::remove};
    for (const auto index : read_words(fields, "allow", kVerbs)) rule.verbs |= static_cast<unsigned>(kBits[index]);
    fields.finish();
    return rule;
  }

  void read_sql(const yaml::Node& node, const std::string& path, ConnectionPolicy& rules) {
    FieldReader fields(node, report_, "`sql`");
    rules.sql_rule = rule_at(fields.at("verbs"), path + ".sql.verbs");
    constexpr std::array<std::string_view, 7> kVerbs{"select", "insert", "update", "delete", "merge", "ddl", "call"};
    constexpr std::array kBits{SqlVerb::select, SqlVerb::insert, SqlVerb::update, SqlVerb::remove,
                               SqlVerb::merge,  SqlVerb::ddl,    SqlVerb::call};
    for (const auto index : read_words(fields, "verbs", kVerbs)) rules.sql_verbs = with(rules.sql_verbs, kBits[index]);
    fields.finish();
  }

  void read_command(const yaml::Member& member) {
    check_name(report_, member, "command");
    FieldReader fields(member.value, report_, fmt::format("command {}", yaml::quoted(member.key)));
    CommandTemplate command;
    command.name = member.key;
    command.rule = rule_at(member.at, "commands." + member.key);
    command.argv = fields.texts("argv", Need::required);
    if (const auto* all = fields.mapping("parameters")) {
      for (const auto& parameter : all->members) command.parameters.emplace(parameter.key, read_parameter(parameter));
    }
    if (const auto* all = fields.mapping("environment")) read_environment(*all, command);
    read_recipe_environment(fields, command);
    command.working_directory = resolve_path(fields.text("working_directory").value_or("/"), directory_);
    command.user = fields.text("user").value_or("");
    if (const auto* limits = fields.mapping("limits")) command.limits = read_command_limits(*limits);
    check_argv(fields, command);
    fields.finish();
    policy_.commands_.emplace(member.key, std::move(command));
  }

  // What runs on a server has that server's environment, directory and limits.
  CommandTemplate read_remote_command(const yaml::Member& member, std::string_view path) {
    check_name(report_, member, "command");
    FieldReader fields(member.value, report_, fmt::format("command {}", yaml::quoted(member.key)));
    CommandTemplate command;
    command.name = member.key;
    command.rule = rule_at(member.at, fmt::format("{}.commands.{}", path, member.key));
    command.argv = fields.texts("argv", Need::required);
    if (const auto* all = fields.mapping("parameters")) {
      for (const auto& parameter : all->members) command.parameters.emplace(parameter.key, read_parameter(parameter));
    }
    if (const auto* node = fields.mapping("limits")) {
      FieldReader limits(*node, report_, "`limits`");
      constexpr yaml::DurationRange kRunTime{std::chrono::seconds(1), std::chrono::hours(24 * 30)};
      command.limits.run_time = limits.duration("run_time", kRunTime).value_or(command.limits.run_time);
      command.limits.output = read_size(limits, "output", {1}).value_or(command.limits.output);
      limits.finish();
    }
    check_argv(fields, command);
    fields.finish();
    return command;
  }

  CommandParameter read_parameter(const yaml::Member& member) {
    FieldReader fields(member.value, report_, fmt::format("parameter {}", yaml::quoted(member.key)));
    check_name(report_, member, "parameter");
    CommandParameter parameter;
    parameter.one_of = fields.texts("one_of");
    parameter.max_length = static_cast<std::size_t>(fields.integer("max_length", {1, 65536}).value_or(256));
    constexpr std::array<std::string_view, 4> kClasses{"letters", "digits", "space", "any"};
    if (fields.any("characters") != nullptr) {
      parameter.classes = 0;
      for (const auto index : read_words(fields, "characters", kClasses)) parameter.classes |= 1u << index;
    }
    parameter.also = fields.text("also").value_or(parameter.also);
    parameter.may_start_with_dash = fields.boolean("may_start_with_dash").value_or(false);
    fields.finish();
    return parameter;
  }

  void read_environment(const yaml::Node& node, CommandTemplate& command) {
    for (const auto& member : node.members) {
      const bool named = !member.key.empty() && !member.key.contains('=');
      if (!named || !member.value.is_text()) {
        report_.add(member.at, "bad-environment", "`environment` maps names of variables to texts");
      } else {
        command.environment.emplace_back(member.key, member.value.text);
      }
    }
  }

  void read_recipe_environment(FieldReader& fields, CommandTemplate& command) {
    command.recipe_environment = fields.texts("recipe_environment");
    for (const auto& name : command.recipe_environment) {
      const auto same = [&](const auto& variable) { return variable.first == name; };
      if (!is_variable_name(name)) {
        fields.problem("recipe_environment", "bad-environment",
                       fmt::format("{} is no name of a variable", yaml::quoted(name)));
      } else if (std::ranges::any_of(command.environment, same)) {
        fields.problem("recipe_environment", "bad-environment",
                       fmt::format("{} has a value of yours in `environment` already", yaml::quoted(name)));
      }
    }
  }

  CommandLimits read_command_limits(const yaml::Node& node) {
    FieldReader fields(node, report_, "`limits`");
    CommandLimits limits;
    constexpr yaml::DurationRange kRunTime{std::chrono::seconds(1), std::chrono::hours(24 * 30)};
    limits.run_time = fields.duration("run_time", kRunTime).value_or(limits.run_time);
    limits.cpu_time =
        std::chrono::ceil<std::chrono::seconds>(fields.duration("cpu_time", kRunTime).value_or(limits.cpu_time));
    limits.memory = read_size(fields, "memory", {1ULL << 20}).value_or(limits.memory);
    limits.open_files = static_cast<std::uint64_t>(
        fields.integer("open_files", {8, 65536}).value_or(static_cast<std::int64_t>(limits.open_files)));
    limits.file_size = read_size(fields, "file_size").value_or(limits.file_size);
    limits.output = read_size(fields, "output", {1}).value_or(limits.output);
    fields.finish();
    return limits;
  }

  void check_argv(FieldReader& fields, const CommandTemplate& command) {
    if (command.argv.empty()) return;
    const auto refuse = [&](std::string message) { fields.problem("argv", "bad-argv", std::move(message)); };
    const auto program = placeholders_of(command.argv.front());
    if (!command.argv.front().starts_with('/') || !program || !program->empty()) {
      refuse("the program (first of `argv`) must be an absolute path without a placeholder");
    }
    std::vector<std::string> used;
    for (const auto& argument : command.argv) {
      const auto names = placeholders_of(argument);
      if (!names) return refuse("an argument has a brace that does not match; write {{ and }} for braces of your own");
      used.insert(used.end(), names->begin(), names->end());
    }
    for (const auto& name : used) {
      if (!command.parameters.contains(name))
        refuse(fmt::format("the placeholder {} is not declared in `parameters`", yaml::quoted(name)));
    }
    for (const auto& [name, parameter] : command.parameters) {
      if (std::ranges::find(used, name) == used.end())
        fields.problem("parameters", "unused-parameter", fmt::format("no argument uses {}", yaml::quoted(name)));
    }
  }

  void read_tunnel(const yaml::Node& node, std::size_t index) {
    FieldReader fields(node, report_, "a tunnel target");
    const auto text = fields.text("target", Need::required);
    fields.finish();
    if (!text) return;
    const auto where = parse_host_port(*text);
    if (!where || where->port == 0) return fields.problem("target", "bad-address", "`target` must be host:port");
    auto host = canonical_host(where->host);
    if (!host) return fields.problem("target", "bad-address", "`target` must be host:port; " + host.error().message);
    policy_.tunnels_.push_back({*std::move(host), where->port, rule_at(node.at, fmt::format("tunnels[{}]", index))});
  }

  yaml::Report report_;
  std::string file_;
  std::string directory_;
  Policy policy_;
};

std::expected<Policy, yaml::Problems> parse_policy(std::string_view text, std::string_view file,
                                                   std::string_view directory) {
  return PolicyReader(file, directory).read(text);
}

}  // namespace sallyport::policy
