#include "agent/policy/connection_readers.h"
#include "agent/policy/reading.h"

#include <array>

namespace sallyport::policy {
namespace {

constexpr std::array<std::string_view, 3> kSecurity{"starttls", "ldaps", "none"};

LdapSecurity security_of(const std::optional<std::string>& word) {
  if (word == "ldaps") return LdapSecurity::ldaps;
  return word == "none" ? LdapSecurity::none : LdapSecurity::starttls;
}

void check_login(yaml::FieldReader& fields, const LdapConnection& ldap) {
  if (!ldap.bind_dn.empty() && !ldap.password)
    fields.problem("bind_dn", "missing-field",
                   "`bind_dn` needs `password_file`, `password_env` or "
                   "`password_system_key`: without a password a server takes anybody for "
                   "nobody");
  if (ldap.bind_dn.empty() && ldap.password)
    fields.problem("bind_dn", "missing-field", "a password needs `bind_dn`, the name it belongs to");
}

}  // namespace

LdapConnection read_ldap(yaml::FieldReader& fields, std::string_view directory) {
  LdapConnection ldap;
  ldap.host = fields.text("host", yaml::Need::required).value_or("");
  ldap.security = security_of(fields.choice("security", kSecurity));
  const std::int64_t usual = ldap.security == LdapSecurity::ldaps ? 636 : 389;
  ldap.port = static_cast<std::uint16_t>(fields.integer("port", {1, 65535}).value_or(usual));
  if (const auto ca = fields.text("ca_file")) ldap.ca_file = resolve_path(*ca, directory);
  ldap.bind_dn = fields.text("bind_dn").value_or("");
  ldap.password = read_secret_ref(fields, "password", directory);
  check_login(fields, ldap);
  if (const auto base = fields.text("base", yaml::Need::required)) {
    auto parsed = Dn::parse(*base);
    if (parsed && parsed->empty()) parsed = fail(Errc::invalid, "`base` must not be empty");
    if (!parsed) fields.problem("base", "bad-name", parsed.error().message);
    if (parsed) ldap.base = *std::move(parsed);
  }
  constexpr yaml::DurationRange kPatience{std::chrono::seconds(1), std::chrono::minutes(5)};
  ldap.connect_timeout = fields.duration("connect_timeout", kPatience).value_or(ldap.connect_timeout);
  ldap.pool = static_cast<std::uint32_t>(fields.integer("pool", {1, 64}).value_or(ldap.pool));
  if (ldap.security == LdapSecurity::none && !ldap.host.empty() && !is_this_machine(ldap.host))
    fields.problem("security", "clear-text",
                   "`security: none` is only allowed for a server on this machine: the password would cross the "
                   "network in clear text");
  return ldap;
}

}  // namespace sallyport::policy
