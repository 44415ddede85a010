#include "agent/policy/secret_rule.h"

#include "agent/policy/action_pattern.h"
#include "agent/policy/reading.h"
#include "shared/recipe/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace sallyport::policy {
namespace {

constexpr std::string_view kCommand = "command.run@1";

Verdict<> refuse(const SecretRule& secret, const SecretRule::List& list, std::string_view what) {
  return std::unexpected(Refusal{
      list.rule, fmt::format("the local policy of this agent does not give the secret {} to {}", secret.name, what)});
}

bool lists(const SecretRule::List& list, std::string_view name) {
  return std::ranges::find(list.names, name) != list.names.end();
}

std::vector<std::string_view> actions_with_secrets() {
  std::vector<std::string_view> names;
  for (const auto& action : recipe::actions()) {
    if (recipe::takes_secrets(action)) names.push_back(action.name);
  }
  return names;
}

class RuleReader {
 public:
  RuleReader(const yaml::Member& member, yaml::Report& report, RulePlace place)
      : member_(member), place_(place), fields_(member.value, report, "the secret " + yaml::quoted(member.key)) {}

  SecretRule read() {
    SecretRule rule{
        .name = member_.key, .source = read_secret_ref(fields_, "value", place_.directory), .at = member_.at};
    if (!rule.source && fields_.any("value") == nullptr)
      fields_.problem("value_file", "missing-field", "a secret needs `value_file`, `value_env` or `value_system_key`");
    rule.actions = list("actions", yaml::Need::required).value_or(SecretRule::List{});
    for (const auto& pattern : rule.actions.names) check_action(pattern);
    rule.connections = list("connections", yaml::Need::optional);
    rule.commands = list("commands", yaml::Need::optional);
    rule.recipes = list("recipes", yaml::Need::optional);
    fields_.finish();
    return rule;
  }

 private:
  std::optional<SecretRule::List> list(std::string_view name, yaml::Need need) {
    if (fields_.any(name, need) == nullptr) return std::nullopt;
    const auto at = fields_.at(name);
    return SecretRule::List{fields_.texts(name),
                            fmt::format("{}:{} secrets.{}.{}", place_.file, at.line, member_.key, name), at};
  }

  void check_action(const std::string& pattern) {
    const auto takers = actions_with_secrets();
    if (!is_action_pattern(pattern)) {
      fields_.problem("actions", "bad-action", "an action is written sql.query@1, or sql.* for all of a kind");
    } else if (std::ranges::none_of(takers, [&](auto action) { return action_matches(pattern, action); })) {
      fields_.problem(
          "actions", "no-secret-field",
          unknown_action(pattern).value_or(fmt::format("{} has no field that takes a secret; these have: {}",
                                                       yaml::quoted(pattern), fmt::join(takers, ", "))));
    }
  }

  const yaml::Member& member_;
  RulePlace place_;
  yaml::FieldReader fields_;
};

}  // namespace

Verdict<> check_secret_use(const SecretRule& secret, const SecretUse& use) {
  const auto allowed = [&](const std::string& pattern) { return action_matches(pattern, use.action); };
  if (std::ranges::none_of(secret.actions.names, allowed)) return refuse(secret, secret.actions, use.action);
  if (secret.connections && !use.connection.empty() && !lists(*secret.connections, use.connection))
    return refuse(secret, *secret.connections, fmt::format("the connection {}", use.connection));
  if (secret.commands && use.action == kCommand && !lists(*secret.commands, use.command))
    return refuse(secret, *secret.commands, fmt::format("the command {}", use.command));
  if (secret.recipes && !lists(*secret.recipes, use.recipe))
    return refuse(secret, *secret.recipes, fmt::format("the recipe {}", use.recipe));
  return {};
}

SecretRule read_secret_rule(const yaml::Member& member, yaml::Report& report, RulePlace place) {
  check_name(report, member, "secret");
  return RuleReader(member, report, place).read();
}

}  // namespace sallyport::policy
