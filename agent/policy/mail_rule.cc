#include "agent/policy/mail_rule.h"

#include "agent/policy/glob.h"
#include "shared/recipe/fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::policy {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

}  // namespace

Verdict<> MailRule::check_recipient(std::string_view address) const {
  const auto plain = lower(address);
  if (std::ranges::any_of(recipients, [&](const auto& pattern) { return glob_matches(pattern, plain); })) return {};
  return std::unexpected(Refusal{rule, "the local policy of this agent does not allow mail to one of the recipients"});
}

MailRule read_mail_rule(const yaml::Node& node, yaml::Report& report, std::string rule) {
  yaml::FieldReader fields(node, report, "`mail`");
  MailRule read;
  read.rule = rule + ".recipients";
  for (const auto& text : fields.texts("recipients", yaml::Need::required)) {
    if (!is_glob(text) || !text.contains('@'))
      fields.problem("recipients", "bad-pattern",
                     fmt::format("{} is no pattern of addresses: *@example.org, ada@example.org", yaml::quoted(text)));
    read.recipients.push_back(lower(text));
  }
  fields.finish();
  return read;
}

}  // namespace sallyport::policy
