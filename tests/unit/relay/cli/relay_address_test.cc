#include "relay/cli/relay_address.h"
#include "tests/unit/relay/cli/cli_site.h"
#include "tests/unit/relay/cli/scripted_relay.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>

// Which relay is meant, how it is reached, and whose fault it is when that does not work.
using namespace sallyport;
using namespace sallyport::cli;
using namespace sallyport::test;

namespace {

// A variable of the real process: libcurl reads it there.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("what is a relay's address", "[cli][address]") {
  CHECK(relay_address("https://relay.example:8443") == "https://relay.example:8443");
  CHECK(relay_address("https://relay.example/base//") == "https://relay.example/base");
  CHECK(relay_address("https://[::1]:8443/") == "https://[::1]:8443");
  for (const auto* wrong :
       {"", "foo", "relay.example:8443", "http://relay.example", "HTTPS://x", "https://", "https:///", "https://:8443",
        "https://relay.example:port", "https://relay.example:99999", "https://a b", "https://a\n", "https://[::1",
        "https://ada:secret@relay.example", "https://relay.example/?x=1", "https://relay.example/#x"}) {
    INFO(wrong);
    const auto refused = relay_address(wrong);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == Error{Errc::invalid, "takes https://HOST:PORT"});
  }
}

TEST_CASE("which addresses are on this machine", "[cli][address]") {
  for (const auto* here : {"https://localhost", "https://LocalHost:8443/base", "https://127.0.0.1:8443",
                           "https://127.255.1.2", "https://127.1", "https://[::1]:8443", "https://[0:0:0:0:0:0:0:1]"}) {
    INFO(here);
    CHECK(is_loopback(here));
  }
  for (const auto* elsewhere :
       {"https://relay.example", "https://127.0.0.1.example", "https://localhost.example", "https://128.0.0.1",
        "https://10.127.0.1", "https://[::2]", "https://[::ffff:10.0.0.1]", "https://x127.0.0.1", "foo"}) {
    INFO(elsewhere);
    CHECK_FALSE(is_loopback(elsewhere));
  }
}

TEST_CASE("one rule for an address, wherever it is given", "[cli][address]") {
  const TempDir folder;
  const auto wrong = GENERATE(as<std::string>(), "foo", "http://relay.example", "https://ada:secret@relay.example");
  Surroundings around{
      .in = "spt_x\n", .environment = {{"XDG_CONFIG_HOME", folder.path()}, {"SALLYPORT_TOKEN", "spt_x"}}, .tune = {}};
  for (const auto& words : {std::vector<std::string>{"jobs", "list", "--relay", wrong},
                            {"login", "--relay", wrong, "--root", "/nowhere.pem"}}) {
    const auto ran = run_cli(words, around);
    CHECK(ran.code == kUsage);
    CHECK_THAT(ran.err, Catch::Contains("--relay takes https://HOST:PORT") && !Catch::Contains("secret"));
  }
  around.environment["SALLYPORT_RELAY"] = wrong;
  const auto ran = run_cli({"jobs", "list"}, around);
  CHECK(ran.code == kFailed);
  CHECK(ran.err == "sallyport: SALLYPORT_RELAY takes https://HOST:PORT\n");
}

TEST_CASE("a fault of this machine is no relay that is away", "[cli][address]") {
  CliSite site;
  const auto text = site.folder.write("no.pem", "root:x:0:0\n");
  const auto broken = site.folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const auto token = site.tenant.token(domain::Role::viewer);
  for (const auto& root : {text, broken}) {
    auto around = site.machine();
    around.environment.insert({{"SALLYPORT_ROOT", root}, {"SALLYPORT_RELAY", site.url()}, {"SALLYPORT_TOKEN", token}});
    const auto ran = run_cli({"group", "list"}, around);
    INFO(ran.err);
    CHECK(ran.code == kFailed);
    CHECK((root != text || ran.err == "sallyport: SALLYPORT_ROOT: " + text + " holds no certificate\n"));
    CHECK(site.run({"login", "--relay", site.url(), "--root", root}, token + "\n").code == kFailed);
  }
  site.folder.write("config", "a file where a directory should be");
  const auto unsaved = site.login(domain::Role::viewer);
  CHECK(unsaved.code == kFailed);
  CHECK_THAT(unsaved.err, Catch::Contains("cannot write " + site.folder.path("config/sallyport/login.json")) &&
                              Catch::Contains("Not a directory"));
}

TEST_CASE("no proxy stands between this machine and itself", "[cli][address][proxy]") {
  const Variable lower("https_proxy", "http://127.0.0.1:9"), upper("HTTPS_PROXY", "http://127.0.0.1:9");
  const Variable no_lower("no_proxy", ""), no_upper("NO_PROXY", "");
  ScriptedRelay relay([](const ScriptedRelay::Asked&, std::size_t) { return text_reply(200, R"({"items":[]})"); });
  const auto here = run_cli({"group", "list"}, relay.surroundings());
  INFO(here.err);
  CHECK(here.code == kDone);
  const auto away = run_cli({"group", "list", "--relay", "https://relay.invalid"}, relay.surroundings());
  CHECK(away.code == kUnreachable);  // the control: elsewhere it is asked
  CHECK_THAT(away.err, Catch::Contains("127.0.0.1 port 9"));
}
