#pragma once

#include "agent/policy/dn.h"
#include "agent/policy/refusal.h"
#include "shared/recipe/problem.h"
#include "shared/recipe/yaml.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// Modify also renames and moves.
enum class LdapVerb : unsigned { read = 1, add = 2, modify = 4, remove = 8 };
std::string_view to_string(LdapVerb verb);  // "read", "add", "modify", "delete"

// What steps may do on a connection to a directory. The default allows nothing.
struct LdapRule {
  unsigned verbs = 0;                   // a set of LdapVerb
  std::vector<Dn> bases;                // entries at and below one of them
  std::vector<std::string> attributes;  // lower case; "*": all but `never`
  std::vector<std::string> never;
  std::string rule;  // "policy.yaml:9 connections.ad.ldap"

  // A refusal says what, but not on which entry: its name may be data.
  Verdict<> check_entry(LdapVerb verb, const Dn& entry) const;
  // By its name without options, however its letters are cased. `objectClass` may always be asked for and given.
  Verdict<> check_attribute(std::string_view name) const;
};

// `ldap` of a connection in policy.yaml; `rule` is the place it stands at.
LdapRule read_ldap_rule(const yaml::Node& node, yaml::Report& report, std::string rule);

}  // namespace sallyport::policy
