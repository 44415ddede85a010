#include "tests/contract/connectors/ldap/directory.h"

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Directory;
using test::DirectoryServer;
using test::texts;

namespace {

constexpr const char* kPeople = "ou=people,dc=example,dc=org";

ValueMap person(const char* uid, const char* sn = "Test") {
  return args({{"name", Value(args({{"uid", uid}}))},
               {"parent", kPeople},
               {"attributes", Value(args({{"objectClass", texts({"inetOrgPerson"})}, {"cn", "New"}, {"sn", sn}}))}});
}

std::string entry(const std::string& dn, const char* attributes = "*") {
  return DirectoryServer::get().slapd->entry(dn, attributes);
}

}  // namespace

TEST_CASE("an entry is added, changed, renamed, deleted", "[ldap][write]") {
  Directory directory;
  const auto added = directory.run("ldap.add@1", person("eve"));
  REQUIRE(added);
  CHECK(added->find("dn")->as_string() == "uid=eve,ou=people,dc=example,dc=org");
  CHECK(entry("uid=eve,ou=people,dc=example,dc=org").contains("sn: Test"));
  CHECK(directory.error("ldap.modify@1",
                        args({{"dn", "uid=eve,ou=people,dc=example,dc=org"},
                              {"replace", Value(args({{"sn", "Other"}, {"mail", texts({"a@b.c", "d@e.f"})}}))},
                              {"add", Value(args({{"cn", "Second"}}))}})) == "none");
  const auto changed = entry("uid=eve,ou=people,dc=example,dc=org");
  for (const char* line : {"sn: Other\n", "mail: a@b.c\n", "mail: d@e.f\n", "cn: New\n", "cn: Second\n"})
    CHECK(changed.contains(line));
  CHECK(directory.error("ldap.modify@1", args({{"dn", "uid=eve,ou=people,dc=example,dc=org"},
                                               {"delete", Value(args({{"mail", Value()}, {"cn", "Second"}}))}})) ==
        "none");
  CHECK_FALSE(entry("uid=eve,ou=people,dc=example,dc=org").contains("mail"));
  const auto renamed = directory.run("ldap.rename@1", args({{"dn", "uid=eve,ou=people,dc=example,dc=org"},
                                                            {"new_name", Value(args({{"uid", "e, v+e"}}))}}));
  REQUIRE(renamed);
  const auto dn = renamed->find("dn")->as_string();
  CHECK(dn == "uid=e\\, v\\+e,ou=people,dc=example,dc=org");
  CHECK(directory.run("ldap.delete@1", args({{"dn", dn.c_str()}}))->find("deleted")->as_bool());
  CHECK_FALSE(directory.run("ldap.delete@1", args({{"dn", dn.c_str()}}))->find("deleted")->as_bool());
}

TEST_CASE("a name is a value, whatever it holds", "[ldap][write]") {
  Directory directory;
  for (const char* uid : {"a,ou=secret", "a+cn=b", " x ", "#x", "a\\b", "a\"<;>=", "Ж", "a\nb"}) {
    INFO(uid);
    const auto added = directory.run("ldap.add@1", person(uid));
    REQUIRE(added);
    const auto found = directory.search("(uid=:p)", args({{"params", Value(args({{"p", uid}}))}, {"scope", "one"}}));
    REQUIRE(found);
    REQUIRE(found->find("count")->as_int() == 1);
    CHECK(found->find("list")->as_list().at(0).find("uid")->as_list().at(0).as_string() == uid);
    const auto dn = found->find("list")->as_list().at(0).find("dn")->as_string();  // as the server spells it
    CHECK(directory.error("ldap.delete@1", args({{"dn", dn.c_str()}})) == "none");
  }
}

TEST_CASE("changes outside of the policy are refused before anything is sent", "[ldap][write][policy]") {
  Directory directory;
  const auto add = [&](const char* parent) {
    auto arguments = person("eve");
    arguments.insert_or_assign(Value("parent"), Value(parent));
    return directory.error("ldap.add@1", std::move(arguments));
  };
  CHECK(add("ou=secret,dc=example,dc=org") == "policy");
  CHECK(add("dc=evil,dc=org") == "policy");
  CHECK(add("ou=people,dc=example,dc=org,dc=evil") == "policy");
  CHECK(add("not a name") == "invalid");
  const char* hidden = "cn=hidden,ou=secret,dc=example,dc=org";
  CHECK(directory.error("ldap.delete@1", args({{"dn", hidden}})) == "policy");
  CHECK(directory.error("ldap.modify@1", args({{"dn", hidden}, {"replace", Value(args({{"sn", "x"}}))}})) == "policy");
  CHECK(directory.error("ldap.rename@1", args({{"dn", "uid=ada,ou=people,dc=example,dc=org"},
                                               {"new_name", Value(args({{"uid", "ada"}}))},
                                               {"new_parent", "ou=secret,dc=example,dc=org"}})) == "policy");
  const char* ada = "uid=ada,ou=people,dc=example,dc=org";
  for (const char* kind : {"replace", "add", "delete"})
    CHECK(directory.error("ldap.modify@1", args({{"dn", ada}, {kind, Value(args({{"userPassword", "x"}}))}})) ==
          "policy");
  Directory reader("security: none", R"(actions: ["ldap.*"]
connections: {dir: {ldap: {verbs: [read], bases: ["dc=example,dc=org"], attributes: ["*"]}}}
)");
  CHECK(reader.error("ldap.delete@1", args({{"dn", ada}})) == "policy");
  CHECK(reader.error("ldap.add@1", person("eve")) == "policy");
  CHECK_FALSE(entry(ada).empty());
}

TEST_CASE("what a directory refuses keeps its code, and values stay out of the text", "[ldap][write][errors]") {
  Directory directory;
  const char* ada = "uid=ada,ou=people,dc=example,dc=org";
  const auto refused = directory.run("ldap.add@1", person("ada", "c4n4ry"));
  CHECK(test::classes_of(refused.error()) == "ldap:68,constraint");
  CHECK_FALSE(refused.error().message.contains("c4n4ry"));
  CHECK(directory.error("ldap.modify@1", args({{"dn", ada}, {"add", Value(args({{"c4n4ry", "x"}}))}})) ==
        "ldap:17,invalid");
  CHECK(directory.error("ldap.modify@1", args({{"dn", ada}, {"replace", Value(args({{"sn", Value()}}))}})) ==
        "ldap:65,constraint");
  CHECK(directory.error("ldap.modify@1", args({{"dn", ada}, {"delete", Value(args({{"title", "x"}}))}})) ==
        "ldap:16,not_found");
  CHECK(directory.error("ldap.delete@1", args({{"dn", kPeople}})) == "ldap:66,constraint");
  CHECK(directory.error("ldap.modify@1", args({{"dn", ada}})) == "invalid");
}

TEST_CASE("an entry that is there counts as added when the step is run again and it is the same", "[ldap][write]") {
  Directory directory;
  REQUIRE(directory.run("ldap.add@1", person("twice")));
  CHECK(directory.error("ldap.add@1", person("twice")) == "ldap:68,constraint");
  directory.agent->repeated = true;
  CHECK(directory.error("ldap.add@1", person("twice")) == "none");
  CHECK(directory.error("ldap.add@1", person("twice", "Another")) == "ldap:68,constraint");
  directory.agent->repeated = false;
  CHECK(directory.error("ldap.delete@1", args({{"dn", "uid=twice,ou=people,dc=example,dc=org"}})) == "none");
}

TEST_CASE("a change that is not answered is in doubt, unless doing it again does nothing more",
          "[ldap][write][doubt]") {
  auto& slapd = *DirectoryServer::get().slapd;
  Directory directory;
  const char* bob = "uid=bob,ou=people,dc=example,dc=org";
  const auto unanswered = [&](std::string_view action, ValueMap arguments) {
    directory.agent->patience = 30s;
    REQUIRE(directory.search("(uid=bob)"));  // a session that stands
    slapd.pause();
    directory.agent->patience = 200ms;
    auto classes = directory.error(action, std::move(arguments));
    slapd.resume();
    return classes;
  };
  const Value title(args({{"title", "x"}}));
  CHECK(unanswered("ldap.modify@1", args({{"dn", bob}, {"replace", title}})) == "in_doubt,timeout");
  CHECK(unanswered("ldap.modify@1", args({{"dn", bob}, {"delete", title}})) == "in_doubt");
  CHECK(unanswered("ldap.add@1", person("bob")) == "in_doubt,timeout");
  CHECK(unanswered("ldap.delete@1", args({{"dn", "uid=nobody,ou=people,dc=example,dc=org"}})) == "timeout");
  CHECK(unanswered("ldap.rename@1", args({{"dn", bob}, {"new_name", Value(args({{"uid", "bob"}}))}})) == "in_doubt");
  auto& modify = *directory.actions.find("ldap.modify@1")->second;
  CHECK(modify.keeps_ledger("dir", Value(args({{"replace", title}}))));
  CHECK_FALSE(modify.keeps_ledger("dir", Value(args({{"replace", title}, {"add", title}}))));
  slapd.kill();
  directory.agent->patience = 30s;
  directory.agent->repeated = true;
  CHECK(directory.error("ldap.add@1", person("bob")) == "in_doubt,connection");
  slapd.start();
}
