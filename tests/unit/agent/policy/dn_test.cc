#include "agent/policy/dn.h"
#include "agent/policy/connections.h"
#include "agent/policy/policy.h"

#include <catch2/catch.hpp>

using namespace sallyport;
using namespace sallyport::policy;

namespace {

Dn dn(std::string_view text) {
  auto parsed = Dn::parse(text);
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *std::move(parsed);
}

std::string problem(const std::string& settings) {
  const auto read = parse_connections("connections: {a: {kind: ldap, host: h, base: \"dc=x\", " + settings + "}}",
                                      "connections.yaml", "/");
  return read ? "none" : read.error().front().rule;
}

}  // namespace

TEST_CASE("names of entries are read into parts and written anew", "[policy][ldap][dn]") {
  struct Row {
    const char *text, *again;
  };
  const Row table[] = {
      {"uid=ada,ou=people,dc=example,dc=org", "uid=ada,ou=people,dc=example,dc=org"},
      {" UID = ada , ou=people ", "UID=ada,ou=people"},
      {"cn=a\\,b\\+c\\\\d\\\"", "cn=a\\,b\\+c\\\\d\\\""},
      {"cn=\\20x\\20+ou=\\#y", "cn=\\ x\\ +ou=\\#y"},
      {"cn=B\\C3\\B6b", "cn=Böb"},
      {"cn=a\\0Ab\\=c", "cn=a\\0Ab\\=c"},
      {"", ""},
  };
  for (const auto& row : table) {
    INFO(row.text);
    CHECK(dn(row.text).text() == row.again);
    CHECK(dn(row.again) == dn(row.text));
  }
  for (const char* wrong : {"ada", "uid=", "uid=ada,", ",uid=a", "=a", "2.5.4.3=a", "uid=#0401", "uid=a;b", "uid=\"a\"",
                            "uid=a\\", "uid=a\\zz", "uid=\\ff", "uid=a<b", "u id=a"}) {
    INFO(wrong);
    CHECK_FALSE(Dn::parse(wrong));
  }
  std::string deep = "a=b";
  for (int i = 0; i < 64; ++i) deep += ",a=b";
  CHECK_FALSE(Dn::parse(deep));
  CHECK_FALSE(Dn::parse("a=" + std::string(9000, 'x')));
}

TEST_CASE("an entry is within a base by its levels, not by its text", "[policy][ldap][dn]") {
  const auto base = dn("ou=People,dc=example,dc=org");
  CHECK(dn("uid=a,OU=people , dc=EXAMPLE,dc=org").within(base)->text() == "uid=a,ou=People,dc=example,dc=org");
  CHECK(dn("ou=people,dc=example,dc=org").within(base));
  for (const char* outside :
       {"dc=example,dc=org", "uid=a\\,ou=People,dc=example,dc=org", "uid=a,ou=Peoples,dc=example,dc=org",
        "uid=a,ou=People,dc=example,dc=org,dc=evil", "uid=a,ou=People+cn=x,dc=example,dc=org", ""}) {
    INFO(outside);
    CHECK_FALSE(dn(outside).within(base));
  }
  CHECK(Dn::below({{"uid", "x,ou=secret"}}, base)->text() == "uid=x\\,ou\\=secret,ou=People,dc=example,dc=org");
  CHECK_FALSE(Dn::below({{"uid", ""}}, base));
  CHECK_FALSE(Dn::below({{"uid=x,cn", "a"}}, base));
  CHECK_FALSE(Dn::below({}, base));
}

TEST_CASE("what a connection to a directory needs", "[policy][ldap]") {
  CHECK(problem("bind_dn: x, password_env: P") == "none");
  CHECK(problem("security: ldaps") == "none");
  CHECK(problem("security: none") == "clear-text");
  CHECK(problem("bind_dn: x") == "missing-field");
  CHECK(problem("password_env: P") == "missing-field");
  CHECK(problem("password: secret, bind_dn: x") == "inline-secret");
  const auto read =
      parse_connections("connections: {a: {kind: ldap, host: h, security: ldaps, base: \"dc=x\"}}", "c", "/");
  CHECK(read->at("a").ldap()->port == 636);
  CHECK_FALSE(parse_connections("connections: {a: {kind: ldap, host: h, base: \"\"}}", "c", "/"));
}
