#pragma once

#include "agent/policy/refusal.h"
#include "agent/vault/vault.h"
#include "shared/recipe/problem.h"
#include "shared/recipe/secret_use.h"
#include "shared/recipe/yaml.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

using recipe::SecretUse;

// A secret of this machine that steps may take: where it is kept, and who gets it. `actions` is always asked, the other
// lists when the operator wrote them: `connections` of actions that have one, `commands` of command.run@1.
struct SecretRule {
  struct List {
    std::vector<std::string> names;
    std::string rule;  // "policy.yaml:31 secrets.erp-token.actions"
    yaml::Position at;
  };
  std::string name;
  vault::SecretRef source;
  List actions;  // names, or kinds such as `sql.*`
  std::optional<List> connections, commands, recipes;
  yaml::Position at;
};

// A refusal names the list that does not have it.
Verdict<> check_secret_use(const SecretRule& rule, const SecretUse& use);

struct RulePlace {
  std::string_view file;       // "policy.yaml"
  std::string_view directory;  // where it lives
};
// A member of `secrets` in policy.yaml.
SecretRule read_secret_rule(const yaml::Member& member, yaml::Report& report, RulePlace place);

}  // namespace sallyport::policy
