#include "relay/identity/deployment.h"

#include "relay/identity/private_file.h"
#include "tests/unit/relay/identity/world.h"

#include <sys/stat.h>
#include <fstream>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const identity::DeploymentSettings kSettings{"relay.test", {"relay.test", "10.0.0.7"}};

int mode_of(const fs::path& path) {
  struct stat facts{};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  return static_cast<int>(facts.st_mode & 0777);
}

void overwrite(const fs::path& path, std::string_view content) { std::ofstream(path) << content; }

}  // namespace

TEST_CASE("a deployment is made once and read back", "[identity]") {
  const TempFolder folder;
  const SystemClock clock;
  const auto ca = folder.path() / "ca";
  const auto made = must(identity::create_deployment(ca, kSettings, clock));
  const auto read = must(identity::load_deployment(ca));
  CHECK(read.trust_domain == "relay.test");
  CHECK(read.root == made.root);
  REQUIRE(read.root_key);
  CHECK(read.server.certificate == made.server.certificate);
  CHECK(mode_of(ca) == 0700);
  CHECK(mode_of(ca / "root.key") == 0600);
  CHECK(mode_of(ca / "server.pem") == 0600);
  const auto again = identity::create_deployment(ca, kSettings, clock);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::conflict);
  CHECK(must(identity::load_deployment(ca)).root == made.root);
}

TEST_CASE("a deployment that was not finished can be made anew", "[identity]") {
  const TempFolder folder;
  const SystemClock clock;
  const auto ca = folder.path() / "ca";
  must(identity::create_deployment(ca, kSettings, clock));
  fs::remove(ca / "trust-domain");
  CHECK_FALSE(identity::load_deployment(ca));
  CHECK(identity::create_deployment(ca, kSettings, clock));
}

TEST_CASE("a deployment with malformed settings is not made", "[identity]") {
  const TempFolder folder;
  const SystemClock clock;
  CHECK_FALSE(identity::create_deployment(folder.path() / "a", {"Relay.Test", {"relay.test"}}, clock));
  CHECK_FALSE(identity::create_deployment(folder.path() / "b", {"relay.test", {}}, clock));
  CHECK_FALSE(identity::create_deployment(folder.path() / "c", {"relay.test", {"not a name"}}, clock));
  CHECK_FALSE(identity::create_deployment(folder.path() / "no" / "such" / "folder", kSettings, clock));
}

TEST_CASE("files that are missing, open to others, damaged or of another deployment are refused by name",
          "[identity]") {
  const TempFolder folder;
  const SystemClock clock;
  const auto other = folder.path() / "other";
  must(identity::create_deployment(other, kSettings, clock));
  struct Row {
    std::string_view fragment;
    std::function<void(const fs::path&)> spoil;
  };
  const Row rows[] = {
      {"trust-domain", [](const fs::path& ca) { fs::remove(ca / "trust-domain"); }},
      {"trust-domain", [](const fs::path& ca) { overwrite(ca / "trust-domain", "NOT ONE\n"); }},
      {"root.pem", [](const fs::path& ca) { fs::remove(ca / "root.pem"); }},
      {"PEM", [](const fs::path& ca) { overwrite(ca / "root.pem", "garbage"); }},
      {"chmod 600", [](const fs::path& ca) { fs::permissions(ca / "root.key", fs::perms(0640)); }},
      {"chmod 600", [](const fs::path& ca) { fs::permissions(ca / "server.pem", fs::perms(0644)); }},
      {"server.pem", [](const fs::path& ca) { fs::remove(ca / "server.pem"); }},
      {"64 KiB", [](const fs::path& ca) { overwrite(ca / "server.pem", std::string(70'000, 'A')); }},
      {"root.key is not the key",
       [&](const fs::path& ca) {
         fs::copy_file(other / "root.key", ca / "root.key", fs::copy_options::overwrite_existing);
       }},
      {"not issued by root.pem",
       [&](const fs::path& ca) {
         fs::copy_file(other / "server.pem", ca / "server.pem", fs::copy_options::overwrite_existing);
       }},
      {"regular file",
       [](const fs::path& ca) {
         fs::remove(ca / "root.pem");
         fs::create_directory(ca / "root.pem");
       }},
  };
  int number = 0;
  for (const auto& row : rows) {
    INFO(row.fragment);
    const auto ca = folder.path() / std::to_string(++number);
    must(identity::create_deployment(ca, kSettings, clock));
    row.spoil(ca);
    const auto read = identity::load_deployment(ca);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::invalid);
    INFO(read.error().message);
    CHECK(read.error().message.find(row.fragment) != std::string::npos);
  }
}

TEST_CASE("the server certificate is renewed in its last third, for the same names", "[identity]") {
  const TempFolder folder;
  MovableClock clock;
  const auto ca = folder.path() / "ca";
  auto deployment = must(identity::create_deployment(ca, kSettings, clock));
  CHECK_FALSE(identity::needs_server_renewal(deployment, clock));
  clock.advance(24h * 59);
  CHECK_FALSE(identity::needs_server_renewal(deployment, clock));
  clock.advance(24h * 2);
  CHECK(identity::needs_server_renewal(deployment, clock));

  const auto renewed = must(identity::renew_server_certificate(ca, deployment, {}, clock));
  CHECK(renewed.certificate.alt_names() == deployment.server.certificate.alt_names());
  CHECK(renewed.key.public_key_der() != deployment.server.key.public_key_der());
  const auto read = must(identity::load_deployment(ca));
  CHECK(read.server.certificate == renewed.certificate);
  CHECK_FALSE(identity::needs_server_renewal(read, clock));
  clock.advance(-24h * 60);  // the clock had been ahead, and nobody takes what it made
  CHECK(identity::needs_server_renewal(read, clock));
  clock.advance(24h * 60);
  const auto moved = must(identity::renew_server_certificate(ca, deployment, {"new.test"}, clock));
  CHECK(moved.certificate.alt_names().front().text == "new.test");
}

TEST_CASE("without the root key the deployment is read but renews nothing", "[identity]") {
  const TempFolder folder;
  const SystemClock clock;
  const auto ca = folder.path() / "ca";
  must(identity::create_deployment(ca, kSettings, clock));
  fs::remove(ca / "root.key");
  const auto deployment = must(identity::load_deployment(ca));
  CHECK_FALSE(deployment.root_key);
  const auto renewed = identity::renew_server_certificate(ca, deployment, {}, clock);
  REQUIRE_FALSE(renewed);
  CHECK(renewed.error().code == Errc::unavailable);
  CHECK(renewed.error().message.find("root.key") != std::string::npos);
}

TEST_CASE("a private file is replaced as a whole and never follows a link", "[identity]") {
  const TempFolder folder;
  const auto path = folder.path() / "secret";
  must(identity::replace_file(path, "first", identity::Readers::owner));
  must(identity::replace_file(path, "second", identity::Readers::owner));
  CHECK(must(identity::read_file(path, identity::Readers::owner)).reveal() == "second");
  fs::create_symlink(path, folder.path() / "link");
  CHECK_FALSE(identity::read_file(folder.path() / "link", identity::Readers::owner));
  const auto absent = identity::read_file(folder.path() / "absent", identity::Readers::owner);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::not_found);
}
