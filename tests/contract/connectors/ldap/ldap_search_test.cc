#include "agent/connectors/ldap/ldap_actions.h"
#include "agent/connectors/ldap/session.h"
#include "tests/contract/connectors/ldap/directory.h"
#include "tests/support/memory.h"
#include "tests/support/told_certificate.h"

#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <thread>

using namespace sallyport;
using namespace std::chrono_literals;
using test::args;
using test::Directory;
using test::DirectoryServer;
using test::texts;

namespace {

[[maybe_unused]] const auto kNoPipeSignal = std::signal(SIGPIPE, SIG_IGN);  // as the agent does at its start

}  // namespace

TEST_CASE("entries come as rows: lists, single values, bytes", "[ldap]") {
  Directory directory;
  const auto output =
      directory.search("(uid=ada)", args({{"attributes", texts({"cn", "mail", "sn", "jpegPhoto", "description"})},
                                          {"single", texts({"mail", "sn"})},
                                          {"binary", texts({"description"})}}));
  REQUIRE(output);
  CHECK(to_json(*output->find("columns")) == R"(["dn","cn","mail","sn","jpegPhoto","description"])");
  const auto& row = output->find("list")->as_list().at(0);
  CHECK(row.find("dn")->as_string() == "uid=ada,ou=people,dc=example,dc=org");
  CHECK(to_json(*row.find("cn")) == R"(["Ada","Ada Lovelace"])");
  CHECK(row.find("mail")->as_string() == "ada@example.org");
  CHECK(row.find("jpegPhoto")->as_list().at(0).as_bytes() == Bytes{std::byte{0}, std::byte{0xFF}, std::byte{0x80}});
  CHECK(row.find("description")->as_list().at(0).is(Value::Kind::bytes));
  CHECK(directory.list("(uid=bob)", args({{"attributes", texts({"cn", "mail"})}, {"single", texts({"mail"})}})) ==
        R"([{"cn":["Böb"],"dn":"uid=bob,ou=people,dc=example,dc=org","mail":null}])");
  CHECK(directory.search("(uid=ada)", args({{"attributes", texts({"cn"})}, {"single", texts({"cn"})}}))
            .error()
            .error_class() == "format");
}

TEST_CASE("parameters of a filter are values, whatever they hold", "[ldap]") {
  Directory directory;
  const auto found = [&](const char* filter, Value value) {
    return directory.list(filter, args({{"params", Value(args({{"p", std::move(value)}}))}}));
  };
  const std::string bob = R"([{"dn":"uid=bob,ou=people,dc=example,dc=org","uid":["bob"]}])";
  CHECK(found("(sn=:p)", Value("(Bob*)")) == bob);
  CHECK(found("(sn=:p*)", Value("(Bob")) == bob);
  CHECK(found("(cn=:p)", Value("Böb")) == bob);
  CHECK(found("(sn=:p)", Value("*")) == "[]");
  CHECK(found("(uid=:p)", Value("x)(uid=*")) == "[]");
  CHECK(found("(&(objectClass=person)(uid=:p))", Value("ada))(|(uid=*")) == "[]");
  CHECK(found("(jpegPhoto=:p)", Value(Bytes{std::byte{0}})) == "[]");
}

TEST_CASE("the policy names what may be read, asked about, and where", "[ldap][policy]") {
  Directory directory;
  const auto classes = [&](ValueMap more) {
    const auto output = directory.search("(uid=ada)", std::move(more));
    return output ? "none" : test::classes_of(output.error());
  };
  CHECK(classes({}) == "none");
  CHECK(classes(args({{"base", "ou=secret,dc=example,dc=org"}})) == "policy");
  CHECK(classes(args({{"base", "dc=example,dc=org"}})) == "policy");
  CHECK(classes(args({{"base", "dc=org"}})) == "policy");
  CHECK(classes(args({{"base", "OU=People , DC=example,dc=org"}})) == "none");
  for (const char* name : {"userPassword", "USERPASSWORD", "userPassword;binary"})
    CHECK(classes(args({{"attributes", texts({name})}})) == "policy");
  for (const char* name : {"*", "+", "1.1", "2.5.4.35", "cn)(", ""})
    CHECK(classes(args({{"attributes", texts({name})}})) == "invalid");
  const auto refused = directory.search("(userPassword=a*)");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rule == "policy.yaml:6 connections.dir.ldap.never");
  Directory narrow("security: none", R"(actions: ["ldap.*"]
connections: {dir: {ldap: {verbs: [add], bases: ["dc=example,dc=org"], attributes: [cn]}}}
)");
  CHECK(narrow.search("(uid=ada)").error().rule == "policy.yaml:2 connections.dir.ldap.verbs");
  Directory nothing("security: none", "actions: [\"ldap.*\"]\nconnections: {dir: {}}\n");
  CHECK(nothing.search("(uid=ada)").error().error_class() == "policy");
}

TEST_CASE("results come page by page, and what lies on other servers is counted and left out", "[ldap]") {
  Directory directory;
  const auto all = directory.search("(objectClass=*)", args({{"page_size", 1}}));
  REQUIRE(all);
  CHECK(all->find("count")->as_int() == 4);  // ou=people, ada, bob, "left, right"
  CHECK(all->find("referrals")->as_int() == 1);
  CHECK(directory.search("(objectClass=*)", args({{"max_rows", 2}})).error().error_class() == "too_large");
  CHECK(directory.search("(uid=ada)"));  // a session that was left in the middle is not used again
  const auto bulk = directory.search("(uid=b*)", args({{"base", "ou=bulk,dc=example,dc=org"}, {"page_size", 250}}));
  REQUIRE(bulk);
  CHECK(bulk->find("count")->as_int() == 3000);
  const auto one = args({{"base", "ou=people,dc=example,dc=org"}, {"scope", "base"}});
  CHECK(directory.search("(objectClass=*)", one)->find("count")->as_int() == 1);
}

TEST_CASE("a large result takes a page's memory, no more", "[ldap][memory]") {
  Directory directory;
  const auto ask =
      args({{"base", "ou=bulk,dc=example,dc=org"}, {"attributes", texts({"description"})}, {"page_size", 100}});
  REQUIRE(directory.search("(uid=b1)", ask));  // the library is loaded
  const test::PeakMemory peak;
  const auto output = directory.search("(uid=b*)", ask);
  REQUIRE(output);
  CHECK(output->find("count")->as_int() == 3000);  // 24 MB
  CHECK(peak.grown() < (12u << 20));
}

TEST_CASE("what the directory refuses has its result code as class, and no data in its text", "[ldap][errors]") {
  Directory directory;
  const auto missing = directory.search("(uid=ada)", args({{"base", "ou=c4n4ry,ou=people,dc=example,dc=org"}}));
  REQUIRE_FALSE(missing);
  CHECK(test::classes_of(missing.error()) == "ldap:32,not_found");
  CHECK_FALSE(missing.error().message.contains("c4n4ry"));
  const auto elsewhere = directory.search("(uid=ada)", args({{"base", "cn=elsewhere,ou=people,dc=example,dc=org"}}));
  CHECK(test::classes_of(elsewhere.error()) == "ldap:10,not_found");
}

TEST_CASE("TLS is StartTLS or from the start, with a certificate that is good for the host", "[ldap][tls]") {
  auto& server = DirectoryServer::get();
  const auto tls = server.slapd->tls_port();
  const auto with = [&](const std::string& more, std::uint16_t port = 0) {
    Directory directory(more, std::string(test::kDirectoryPolicy), port);
    const auto output = directory.search("(uid=ada)");
    if (output) return std::string("none");
    CHECK(output.error().message == "connecting to dir: it could not be reached; the agent's log says more");
    return test::classes_of(output.error()) + ": " + directory.agent->logged();
  };
  const auto ca = ", ca_file: \"" + server.ca_file + "\"", other = ", ca_file: \"" + server.other_ca_file + "\"";
  CHECK(with("security: starttls" + ca) == "none");
  CHECK(with("security: ldaps" + ca, tls) == "none");
  for (const std::string& wrong : {other, std::string(), ", host: localhost" + ca}) {
    INFO(wrong);
    CHECK(with("security: starttls" + wrong).starts_with("connection: "));
    CHECK(with("security: ldaps" + wrong, tls).starts_with("connection: "));
  }
  CHECK(with("security: ldaps" + ca).starts_with("connection: "));  // a port without TLS
  ::setenv("LDAPTLS_REQCERT", "never", 1);
  CHECK(with("security: starttls" + other).starts_with("connection: "));
  ::unsetenv("LDAPTLS_REQCERT");
}

TEST_CASE("a login that is refused is told, without the password", "[ldap][errors]") {
  auto& server = DirectoryServer::get();
  const auto login = [&](const std::string& password) {
    const auto file = server.files.write("login", password);
    ::chmod(file.c_str(), 0600);
    Directory directory("security: none, bind_dn: \"uid=ada,ou=people,dc=example,dc=org\", password_file: \"" + file +
                        "\"");
    const auto output = directory.search("(uid=ada)");
    if (output) return std::string("none");
    CHECK_FALSE(output.error().message.contains(password.empty() ? "?" : password));
    CHECK_FALSE(directory.agent->logged().contains("wr0ng"));
    return test::classes_of(output.error());
  };
  CHECK(login("wr0ng") == "ldap:49,permission");
  CHECK(login("") == "not_found");  // the vault takes no empty secret
  CHECK(login("c4n4ry-of-ada") == "none");
}

TEST_CASE("a directory that hangs is left at the deadline and at a stop", "[ldap][limits]") {
  auto& slapd = *DirectoryServer::get().slapd;
  for (const std::string settings : {"security: none", "security: starttls", "security: ldaps"}) {
    INFO(settings);
    const auto port = settings.ends_with("ldaps") ? slapd.tls_port() : slapd.port();
    Directory directory(settings + ", ca_file: \"" + DirectoryServer::get().ca_file + "\"",
                        std::string(test::kDirectoryPolicy), port);
    slapd.pause();
    directory.agent->patience = 300ms;
    CHECK(test::classes_of(directory.search("(uid=ada)").error()) == "connection");
    directory.agent->patience = 60s;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(100ms);
      directory.agent->stop.request_stop();
    });
    CHECK(test::classes_of(directory.search("(uid=ada)").error()) == "cancelled");
    slapd.resume();
  }
  Directory directory;
  REQUIRE(directory.search("(uid=ada)"));
  slapd.pause();
  directory.agent->patience = 300ms;
  CHECK(test::classes_of(directory.search("(uid=ada)").error()) == "timeout");
  slapd.resume();
  directory.agent->patience = 30s;
  CHECK(directory.search("(uid=ada)"));
}

TEST_CASE("a directory that is gone and back is reached again; in the middle of a result it is an error", "[ldap]") {
  auto& slapd = *DirectoryServer::get().slapd;
  Directory directory;
  REQUIRE(directory.search("(uid=ada)"));
  slapd.kill();
  CHECK(test::classes_of(directory.search("(uid=ada)").error()) == "connection");
  slapd.start();
  CHECK(directory.search("(uid=ada)"));
  const auto site = directory.agent->site();
  const connectors::CallLimits limits{directory.agent->deadline(), {}};
  const auto session = connectors::ldap::Session::open(*site.connections.at("dir").ldap(), site.vault, limits);
  REQUIRE(session);
  int seen = 0;
  const auto cut = (*session)->search(
      {.base = "ou=bulk,dc=example,dc=org", .filter = "(uid=b*)", .attributes = {"uid"}, .page_size = 10},
      [&](const connectors::ldap::Entry&) -> connectors::StepResult<void> {
        if (++seen == 1) slapd.kill();
        return {};
      },
      limits);
  REQUIRE_FALSE(cut);
  CHECK(cut.error().error_class() == "connection");
  CHECK(seen <= 10);
  slapd.start();
  directory.agent->bodies.fail_writes_after = 1 << 20;
  const auto full = directory.search(
      "(uid=b*)", args({{"base", "ou=bulk,dc=example,dc=org"}, {"attributes", texts({"description"})}}));
  CHECK(full.error().error_class() == "disk_full");
}

TEST_CASE("two steps at a time, and no more connections than the pool has", "[ldap]") {
  Directory directory("security: none, pool: 1");
  std::jthread other([&] { CHECK(directory.search("(uid=b*)", args({{"base", "ou=bulk,dc=example,dc=org"}}))); });
  CHECK(directory.search("(uid=b*)", args({{"base", "ou=bulk,dc=example,dc=org"}})));
}

TEST_CASE("a connection is tested step by step", "[ldap][findings]") {
  auto& server = DirectoryServer::get();
  const auto found = [&](const std::string& settings, std::uint16_t port = 0) {
    Directory directory(settings, std::string(test::kDirectoryPolicy), port);
    const auto site = directory.agent->site();
    std::string text;
    const auto findings =
        connectors::ldap::make_ldap_test(site)->run(site.connections.at("dir"), directory.agent->deadline());
    if (settings.contains("ca_file")) test::check_told(findings, server.files.path("server.pem"));
    for (const auto& finding : findings) {
      text += (text.empty() ? "" : " ") + finding.check + ":" + std::string(to_string(finding.verdict));
      CHECK_FALSE(finding.text.contains(test::SlapdServer::password()));
    }
    return text;
  };
  CHECK(found("security: starttls, ca_file: \"" + server.ca_file + "\"") ==
        "dns:good tcp:good tls:good login:good permission:good");
  CHECK(found("security: starttls, ca_file: \"" + server.other_ca_file + "\"") == "dns:good tcp:good tls:bad");
  CHECK(found("security: ldaps, ca_file: \"" + server.other_ca_file + "\"", server.slapd->tls_port()) ==
        "dns:good tcp:good tls:bad");
  CHECK(found("security: none, bind_dn: \"cn=x,dc=example,dc=org\", password_file: \"" + server.slapd->password_file() +
              "\"") == "dns:good tcp:good login:bad");
  CHECK(found("security: none", 1) == "dns:good tcp:bad");
}
