#pragma once

#include "agent/policy/refusal.h"
#include "shared/recipe/problem.h"
#include "shared/recipe/yaml.h"

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::policy {

// Whom steps may send mail to. The default allows nobody.
struct MailRule {
  std::vector<std::string> recipients;  // patterns of addresses, lower case: *@example.org
  std::string rule;                     // "policy.yaml:9 connections.out.mail.recipients"

  // A refusal does not name the address: it may be data.
  Verdict<> check_recipient(std::string_view address) const;
};

// `mail` of a connection in policy.yaml; `rule` is the place it stands at.
MailRule read_mail_rule(const yaml::Node& node, yaml::Report& report, std::string rule);

}  // namespace sallyport::policy
