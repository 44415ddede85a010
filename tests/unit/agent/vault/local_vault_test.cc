#include "agent/vault/vault.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>

using namespace sallyport;
using namespace sallyport::vault;
using Source = SecretRef::Source;

TEST_CASE("a secret comes from a private file without its line break", "[vault]") {
  const test::TempDir dir;
  const LocalVault vault;
  for (const char* content : {"hunter2", "hunter2\n", "hunter2\r\n"}) {
    const auto path = dir.write("pw", content);
    ::chmod(path.c_str(), 0600);
    CHECK(vault.resolve({Source::file, path})->reveal() == "hunter2");
  }
  ::chmod(dir.write("empty", "\n").c_str(), 0600);
  CHECK(vault.resolve({Source::file, dir.path("empty")}).error().code == Errc::not_found);
}

TEST_CASE("a secret that others could read is refused, and not told", "[vault]") {
  const test::TempDir dir;
  const auto path = dir.write("pw", "hunter2");
  ::chmod(path.c_str(), 0644);
  const auto secret = LocalVault().resolve({Source::file, path});
  REQUIRE_FALSE(secret);
  CHECK(secret.error().code == Errc::forbidden);
  CHECK(secret.error().message.find("hunter2") == std::string::npos);
}

TEST_CASE("a secret comes from the environment", "[vault]") {
  ::setenv("SALLYPORT_TEST_SECRET", "s3cret", 1);
  CHECK(LocalVault().resolve({Source::environment, "SALLYPORT_TEST_SECRET"})->reveal() == "s3cret");
  ::unsetenv("SALLYPORT_TEST_SECRET");
  const auto missing = LocalVault().resolve({Source::environment, "SALLYPORT_TEST_SECRET"});
  CHECK(missing.error().message.find("SALLYPORT_TEST_SECRET is not set") != std::string::npos);
  CHECK_FALSE(LocalVault().resolve({}));
}

TEST_CASE("a reference says where, never what", "[vault]") {
  CHECK(to_string(SecretRef{Source::file, "/etc/pw"}) == "file /etc/pw");
  CHECK(to_string(SecretRef{Source::environment, "PW"}) == "environment variable PW");
  CHECK_FALSE(SecretRef{});
}
