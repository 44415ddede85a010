#include "agent/connectors/ldap/ldap_actions.h"

#include "agent/connectors/ldap/ldap_actions_parts.h"
#include "agent/connectors/ldap/libldap.h"
#include "agent/connectors/translate.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::connectors::ldap {
namespace {

StepResult<policy::Dn> parsed(const std::string& text, std::string_view name) {
  auto dn = policy::Dn::parse(text);
  if (!dn) return step_fail("invalid", fmt::format("the argument \"{}\": {}", name, dn.error().message));
  return *std::move(dn);
}

StepResult<policy::Dn> within_base(const policy::Dn& dn, const Target& target) {
  if (auto inside = dn.within(target.settings->base)) return *std::move(inside);
  const auto rule = fmt::format("connections.yaml {}.base", target.connection);
  return std::unexpected(
      StepError{{"policy"}, fmt::format("the entry is not below the base of the connection ({})", rule), rule});
}

StepResult<std::string> one_value(const std::string& attribute, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::string: return value.as_string();
    case Value::Kind::bytes: return std::string(as_text(value.as_bytes()));
    case Value::Kind::int64: return std::to_string(value.as_int());
    case Value::Kind::uint64: return std::to_string(value.as_uint());
    case Value::Kind::boolean: return value.as_bool() ? "TRUE" : "FALSE";
    default:
      return step_fail("invalid",
                       fmt::format("a value of the attribute {} is no text, bytes, integer or boolean", attribute));
  }
}

}  // namespace

Directories::Directories(const Site& site) {
  for (const auto& [name, connection] : site.connections) {
    const auto* settings = connection.ldap();
    if (settings == nullptr) continue;
    const auto* vault = &site.vault;
    Pool::Source source{
        .open = [settings, vault](const CallLimits& limits) { return Session::open(*settings, *vault, limits); },
        .credentials = [settings, vault] { return vault->version_of(settings->password); }};
    pools_.emplace(name, std::make_unique<Pool>(name, std::move(source), settings->pool, site.log));
  }
}

Pool* Directories::find(std::string_view connection) const {
  const auto it = pools_.find(connection);
  return it == pools_.end() ? nullptr : it->second.get();
}

StepResult<Target> find_target(const Site& site, const Directories& directories, const StepContext& context,
                               std::string_view action) {
  SP_CHECK(check_allowed(site, context, action));
  SP_TRY(const auto* connection, find_connection(site, context.connection, "ldap"));
  SP_TRY(const auto* rule, to_step(site.policy.find_ldap(context.connection)));
  auto* pool = directories.find(context.connection);
  if (pool == nullptr)
    return step_fail("internal", fmt::format("the connection \"{}\" has no pool", context.connection));
  return Target{context.connection, connection->ldap(), rule, pool, CallLimits{context.deadline, context.stop}};
}

StepResult<policy::Dn> dn_or_base(const Arguments& arguments, std::string_view name, const Target& target) {
  if (arguments.find(name) == nullptr) return target.settings->base;
  SP_TRY(const auto text, arguments.text(name));
  SP_TRY(const auto dn, parsed(text, name));
  return within_base(dn, target);
}

StepResult<policy::Dn::Level> level_of(const Value& map, const Target& target) {
  if (!map.is(Value::Kind::map) || map.as_map().empty())
    return step_fail("invalid", "the name of an entry is a map of attributes to values, with one at least");
  policy::Dn::Level level;
  for (const auto& [key, value] : map.as_map()) {
    if (!key.is(Value::Kind::string)) return step_fail("invalid", "the name of an attribute is a text");
    SP_CHECK(check_attribute(key.as_string(), target));
    SP_TRY(auto text, one_value(key.as_string(), value));
    level.push_back({key.as_string(), std::move(text)});
  }
  return level;
}

StepResult<policy::Dn> entry_of(const Arguments& arguments, policy::LdapVerb verb, const Target& target) {
  policy::Dn entry;
  if (const auto* name = arguments.find("name")) {
    SP_TRY(auto level, level_of(*name, target));
    SP_TRY(const auto parent, dn_or_base(arguments, "parent", target));
    SP_TRY(entry, to_step(policy::Dn::below(std::move(level), parent)));
  } else {
    SP_TRY(const auto text, arguments.text("dn"));
    SP_TRY(const auto dn, parsed(text, "dn"));
    SP_TRY(entry, within_base(dn, target));
  }
  SP_CHECK(to_step(target.rule->check_entry(verb, entry)));
  return entry;
}

StepResult<void> check_attribute(std::string_view name, const Target& target) {
  const auto end = name.find(';');
  const auto options = end == std::string_view::npos ? std::string_view() : name.substr(end);
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == ';';
  };
  if (!policy::is_attribute_name(name.substr(0, end)) || options.size() > 128 || !std::ranges::all_of(options, fits))
    return step_fail("invalid", "an attribute is given by its name: letters, digits and hyphens, no number, no star");
  return to_step(target.rule->check_attribute(name));
}

StepResult<std::vector<std::string>> values_of(const std::string& attribute, const Value& value) {
  std::vector<std::string> values;
  if (!value.is(Value::Kind::list)) {
    SP_TRY(auto text, one_value(attribute, value));
    values.push_back(std::move(text));
    return values;
  }
  for (const auto& one : value.as_list()) {
    SP_TRY(auto text, one_value(attribute, one));
    values.push_back(std::move(text));
  }
  return values;
}

Result<void> check_ldap_client() { return load_libldap(); }

std::vector<std::unique_ptr<Action>> make_actions(Site site) {
  const auto directories = std::make_shared<Directories>(site);
  std::vector<std::unique_ptr<Action>> actions;
  for (auto* make : {make_search, make_add, make_modify, make_delete, make_rename})
    actions.push_back(make(site, directories));
  return actions;
}

}  // namespace sallyport::connectors::ldap
