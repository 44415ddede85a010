#include "tests/contract/connectors/ldap/directory.h"

#include "agent/connectors/ldap/ldap_actions.h"
#include "agent/connectors/rows.h"
#include "agent/connectors/stored_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sallyport::test {
namespace {

constexpr std::string_view kPeople = R"(dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=secret,dc=example,dc=org
objectClass: organizationalUnit
ou: secret

dn: ou=bulk,dc=example,dc=org
objectClass: organizationalUnit
ou: bulk

dn: uid=ada,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ada
cn: Ada
cn: Ada Lovelace
sn: Lovelace
mail: ada@example.org
userPassword: c4n4ry-of-ada
jpegPhoto:: AP+A
description: reads as text

dn: uid=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: bob
cn:: QsO2Yg==
sn: (Bob*)
employeeType: contractor

dn: cn=left\, right,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: left, right
sn: odd

dn: cn=elsewhere,ou=people,dc=example,dc=org
objectClass: referral
objectClass: extensibleObject
cn: elsewhere
ref: ldap://127.0.0.1:1/dc=evil,dc=test

dn: cn=hidden,ou=secret,dc=example,dc=org
objectClass: inetOrgPerson
cn: hidden
sn: hidden

)";

constexpr int kBulk = 3000;
constexpr int kBulkBytes = 8 << 10;

std::string entries() {
  std::string ldif(kPeople);
  const std::string filler(kBulkBytes, 'x');
  for (int i = 0; i < kBulk; ++i)
    ldif += fmt::format(
        "dn: uid=b{0},ou=bulk,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: b{0}\ncn: b{0}\n"
        "sn: b\ndescription: {1}\n\n",
        i, filler);
  return ldif;
}

const Clock& wall_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace

DirectoryServer::DirectoryServer(const Clock& clock) : pki(clock) {
  ca_file = files.write("ca.pem", pki.root.certificate.pem());
  other_ca_file = files.write("other.pem", must(crypto::make_root("Other root", clock)).certificate.pem());
  const auto certificate = files.write("server.pem", pki.server.certificate.pem() + pki.root.certificate.pem());
  const auto key = files.write("server.key", pki.server.key.to_pem().reveal());
  slapd = std::make_unique<SlapdServer>(certificate, key, entries());
}

DirectoryServer& DirectoryServer::get() {
  static DirectoryServer server(wall_clock());
  return server;
}

Directory::Directory(const std::string& settings, std::string policy, std::uint16_t port) {
  const auto& slapd = *DirectoryServer::get().slapd;
  agent = std::make_unique<ConnectorSite>(
      fmt::format("connections:\n  dir: {{kind: ldap, port: {}, base: \"dc=example,dc=org\", {}{}{}}}\n",
                  port == 0 ? slapd.port() : port, settings.contains("host:") ? "" : "host: 127.0.0.1, ",
                  settings.contains("bind_dn:") ? ""
                                                : fmt::format("bind_dn: \"cn=admin,dc=example,dc=org\", "
                                                              "password_file: \"{}\", ",
                                                              slapd.password_file()),
                  settings),
      std::move(policy));
  std::vector<std::unique_ptr<connectors::RowFormat>> formats;
  formats.push_back(std::make_unique<connectors::StoredRowsFormat>());
  agent->bodies.add(std::make_unique<connectors::RowsOpener>(std::move(formats)));
  for (auto& action : connectors::ldap::make_actions(agent->site())) {
    const std::string name(action->name());
    actions[name] = std::move(action);
  }
}

connectors::StepResult<Value> Directory::run(std::string_view action, ValueMap arguments) {
  return agent->run(*actions.find(action)->second, std::move(arguments), "dir");
}

connectors::StepResult<Value> Directory::search(std::string_view filter, ValueMap more) {
  more.emplace(Value("filter"), Value(filter));
  more.emplace(Value("base"), Value("ou=people,dc=example,dc=org"));
  more.emplace(Value("attributes"), texts({"uid"}));
  return run("ldap.search@1", std::move(more));
}

std::string Directory::list(std::string_view filter, ValueMap more) {
  const auto output = search(filter, std::move(more));
  if (!output) FAIL(classes_of(output.error()) << ": " << output.error().message);
  return to_json(*output->find("list"));
}

std::string Directory::error(std::string_view action, ValueMap arguments) {
  const auto output = run(action, std::move(arguments));
  return output ? "none" : classes_of(output.error());
}

std::string classes_of(const connectors::StepError& error) { return fmt::format("{}", fmt::join(error.classes, ",")); }

}  // namespace sallyport::test
