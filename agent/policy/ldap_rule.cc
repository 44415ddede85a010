#include "agent/policy/ldap_rule.h"

#include "agent/policy/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 4> kVerbs{"read", "add", "modify", "delete"};
constexpr std::array kBits{LdapVerb::read, LdapVerb::add, LdapVerb::modify, LdapVerb::remove};

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::unexpected<Refusal> refuse(const std::string& rule, std::string_view list, std::string message) {
  return std::unexpected(Refusal{fmt::format("{}.{}", rule, list), std::move(message)});
}

std::vector<std::string> read_attributes(yaml::FieldReader& fields, std::string_view name, yaml::Need need) {
  std::vector<std::string> names;
  for (const auto& text : fields.texts(name, need)) {
    if (!is_attribute_name(text) && !(text == "*" && need == yaml::Need::required))
      fields.problem(name, "bad-name", fmt::format("{} is no name of an attribute", yaml::quoted(text)));
    names.push_back(lower(text));
  }
  return names;
}

}  // namespace

std::string_view to_string(LdapVerb verb) {
  return kVerbs[static_cast<std::size_t>(std::ranges::find(kBits, verb) - kBits.begin())];
}

Verdict<> LdapRule::check_entry(LdapVerb verb, const Dn& entry) const {
  if ((verbs & static_cast<unsigned>(verb)) == 0)
    return refuse(rule, "verbs",
                  fmt::format("the local policy of this agent does not allow to {} entries of this "
                              "directory",
                              to_string(verb)));
  if (std::ranges::any_of(bases, [&](const Dn& base) { return entry.within(base).has_value(); })) return {};
  return refuse(rule, "bases", "the local policy of this agent does not allow this part of the directory");
}

Verdict<> LdapRule::check_attribute(std::string_view name) const {
  const auto plain = lower(name.substr(0, name.find(';')));
  if (has(never, plain))
    return refuse(rule, "never",
                  fmt::format("the local policy of this agent keeps the attribute {} from steps", plain.substr(0, 64)));
  if (plain == "objectclass" || has(attributes, "*") || has(attributes, plain)) return {};
  return refuse(rule, "attributes",
                fmt::format("the local policy of this agent does not allow the attribute {}", plain.substr(0, 64)));
}

LdapRule read_ldap_rule(const yaml::Node& node, yaml::Report& report, std::string rule) {
  yaml::FieldReader fields(node, report, "`ldap`");
  LdapRule read;
  read.rule = std::move(rule);
  for (const auto index : read_words(fields, "verbs", kVerbs)) read.verbs |= static_cast<unsigned>(kBits[index]);
  for (const auto& text : fields.texts("bases", yaml::Need::required)) {
    auto base = Dn::parse(text);
    if (base && !base->empty()) {
      read.bases.push_back(*std::move(base));
    } else {
      fields.problem("bases", "bad-name", base ? "a base must not be empty" : base.error().message);
    }
  }
  read.attributes = read_attributes(fields, "attributes", yaml::Need::required);
  read.never = read_attributes(fields, "never", yaml::Need::optional);
  fields.finish();
  return read;
}

}  // namespace sallyport::policy
