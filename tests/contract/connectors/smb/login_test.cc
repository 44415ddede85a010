// Protection and login, as the operator has set them; what the connection test says of each.
#include "agent/connectors/smb/helper.h"
#include "tests/contract/connectors/smb/share.h"

using namespace sallyport;
using namespace sallyport::test;

namespace {

// What a step and the connection test say with these settings, and that neither tells the password.
struct Attempt {
  explicit Attempt(ShareAgent& share) {
    const auto got = share.get("a");
    error_class = class_of(got);
    message = got ? "" : got.error().message;
    tested = share.tested();
    for (const auto& password : {SmbServer::password(), std::string("wr0ng-s3cret")})
      CHECK((message + tested + share.agent.logged()).find(password) == std::string::npos);
    CHECK(message.find("127.0.0.1") == std::string::npos);
  }
  std::string error_class, message, tested;
};

}  // namespace

TEST_CASE("a connection to a share that works", "[smb][login]") {
  ShareFixture share;
  share.server.files().write("a", "1");
  const Attempt attempt(share);
  CHECK(attempt.error_class == "none");
  INFO(attempt.tested);
  CHECK(attempt.tested.find("bad") == std::string::npos);
  for (const auto* part :
       {"dns good", "tcp good", "login good: the share exchange takes the login of", "permission good"})
    CHECK(attempt.tested.find(part) != std::string::npos);
}

TEST_CASE("what goes to a share is encrypted, unless signing is said to be enough", "[smb][protection]") {
  SECTION("encrypted") {
    ShareFixture share({.global = "server smb encrypt = off"});
    share.server.files().write("a", "1");
    const Attempt attempt(share);  // this server cannot
    CHECK(attempt.error_class == "connection");
    CHECK(attempt.tested.find("login bad") != std::string::npos);
  }
  SECTION("as the server sees it") {
    ShareFixture share;
    share.server.files().write("a", "1");
    REQUIRE(share.get("a"));
    if (without_status()) return;
    const auto status = share.server.status();
    INFO(status);
    CHECK((status.contains("AES-128-GCM") || status.contains("AES-256-GCM") || status.contains("AES-128-CCM")));
  }
  SECTION("signed") {
    ShareFixture share({.global = "server smb encrypt = off"}, ", protection: signed");
    share.server.files().write("a", "1");
    REQUIRE(share.get("a"));
    if (without_status()) return;
    const auto status = share.server.status();
    INFO(status);
    CHECK_FALSE(status.contains("GCM"));
    CHECK((status.contains("AES-128-GMAC") || status.contains("AES-128-CMAC")));
  }
}

TEST_CASE("nothing follows a login that neither signs nor encrypts", "[smb][protection][attack]") {
  const SmbServer server({.global = "guest account = " + SmbServer::user(), .share = "guest ok = yes"});
  const auto opened_by = [&](const std::string& user) {
    using namespace connectors::smb;
    auto helper = Helper::start(helper_program(), std::chrono::seconds(30));
    REQUIRE(helper);
    wire::Open opening{.host = "127.0.0.1",
                       .port = server.port(),
                       .share = SmbServer::share(),
                       .user = user,
                       .password = Secret::take(user.empty() ? std::string() : SmbServer::password()),
                       .encrypts = 0,
                       .patience_ms = 30'000};
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const auto opened = helper->ask_for<wire::Done>(std::move(opening), {until, {}});
    return opened ? "none" : opened.error().error_class();
  };
  CHECK(opened_by("") == "connection");  // an anonymous session has no key
  CHECK(opened_by(SmbServer::user()) == "none");
}

TEST_CASE("a server that speaks only SMB 2 is refused", "[smb][protection]") {
  ShareFixture share({.global = "server max protocol = SMB2_10"}, ", protection: signed");
  share.server.files().write("a", "1");
  CHECK(Attempt(share).error_class == "connection");
}

TEST_CASE("a login that the share's server refuses", "[smb][login]") {
  const auto* const settings = GENERATE(", password_file: \"@SECRETS@/wrong\"", ", user: nobody-here");
  ShareFixture share({.global = "map to guest = bad user", .share = "guest ok = yes"}, settings);
  share.server.files().write("a", "1");
  const Attempt attempt(share);
  INFO(settings << " " << attempt.message);
  CHECK(attempt.error_class == "permission");
  CHECK(attempt.tested.find("login bad") != std::string::npos);
}

TEST_CASE("a share, or a root, that is not there", "[smb][login]") {
  ShareFixture no_share({}, ", share: nothing");
  const Attempt attempt(no_share);
  INFO(attempt.message);
  CHECK(attempt.error_class == "not_found");
  CHECK(attempt.tested.find("login bad") != std::string::npos);
  ShareFixture no_root({}, ", root: nowhere");
  const Attempt other(no_root);
  CHECK(other.error_class == "not_found");
  CHECK(other.tested.find("permission bad") != std::string::npos);
}

TEST_CASE("nobody listens where the share should be", "[smb][login]") {
  ShareFixture share;
  share.server.stop();
  const Attempt attempt(share);
  CHECK(attempt.error_class == "connection");
  CHECK(attempt.tested.find("tcp bad") != std::string::npos);
}

TEST_CASE("without the helper program SMB says what to install", "[smb][helper]") {
  ShareAgent share(1, {}, kSharePolicy, "/nonexistent/sallyport-smb");
  const auto got = share.get("a");
  CHECK(class_of(got) == "connection");
  CHECK(share.agent.logged().contains("the program sallyport-smb cannot be started"));
}
