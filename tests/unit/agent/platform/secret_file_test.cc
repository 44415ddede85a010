#include "agent/platform/secret_file.h"

#include "agent/platform/state_lock.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace sallyport;
using namespace sallyport::platform;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat info{};
  ::stat(path.c_str(), &info);
  return info.st_mode & 07777u;
}

}  // namespace

TEST_CASE("a secret file open to others is refused with the command that repairs it", "[platform][secret]") {
  const test::TempDir dir;
  const auto path = dir.write("password", "hunter2");
  for (unsigned mode : {0644u, 0640u, 0604u, 0610u, 0602u}) {
    ::chmod(path.c_str(), mode);
    const auto read = read_secret_file(path);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::forbidden);
    CHECK(read.error().message.find("chmod 600 " + path) != std::string::npos);
    CHECK(read.error().message.find("hunter2") == std::string::npos);
    CHECK_FALSE(check_secret_file(path));
  }
  for (unsigned mode : {0600u, 0400u}) {
    ::chmod(path.c_str(), mode);
    CHECK(read_secret_file(path)->reveal() == "hunter2");
    CHECK(check_secret_file(path));
  }
}

TEST_CASE("a secret file of somebody else is refused", "[platform][secret]") {
  if (::geteuid() != 0) return;  // only root can give a file away
  const test::TempDir dir;
  const auto path = dir.write("password", "hunter2");
  ::chmod(path.c_str(), 0600);
  REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
  const auto read = read_secret_file(path);
  REQUIRE_FALSE(read);
  CHECK(read.error().message.find("chown 0 ") != std::string::npos);
}

TEST_CASE("a secret file is bounded, regular and there", "[platform][secret]") {
  const test::TempDir dir;
  const auto path = dir.write("password", std::string(100, 'x'));
  ::chmod(path.c_str(), 0600);
  CHECK(read_secret_file(path, 99).error().code == Errc::too_large);
  CHECK(read_secret_file(dir.path()).error().code == Errc::invalid);
  CHECK(read_secret_file(dir.path("none")).error().code == Errc::not_found);
}

TEST_CASE("a written secret is private from its first moment", "[platform][secret]") {
  const test::TempDir dir;
  const auto old = ::umask(0);
  REQUIRE(write_secret_file(dir.path("key"), "one"));
  REQUIRE(write_secret_file(dir.path("key"), "two"));
  ::umask(old);
  CHECK(mode_of(dir.path("key")) == 0600);
  CHECK(read_secret_file(dir.path("key"))->reveal() == "two");
}

TEST_CASE("a private directory is made, and one that others may write to is refused", "[platform]") {
  const test::TempDir dir;
  REQUIRE(prepare_private_directory(dir.path("a/b")));
  CHECK(mode_of(dir.path("a/b")) == 0700);
  REQUIRE(prepare_private_directory(dir.path("a/b")));
  ::chmod(dir.path("a/b").c_str(), 0777);
  const auto refused = prepare_private_directory(dir.path("a/b"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("chmod 700") != std::string::npos);
}

TEST_CASE("who may not enter or make the state directory is told what to do", "[platform]") {
  if (::geteuid() != 0) return;  // only root can be somebody else
  const test::TempDir dir;
  ::chmod(dir.path().c_str(), 0711);
  REQUIRE(prepare_private_directory(dir.path("a")));
  REQUIRE(::seteuid(65534) == 0);
  const auto inside = prepare_private_directory(dir.path("a"));
  const auto made = prepare_private_directory(dir.path("b"));
  REQUIRE(::seteuid(0) == 0);
  REQUIRE_FALSE(inside);
  CHECK_THAT(inside.error().message, Catch::EndsWith("chown -R 65534 " + dir.path("a")));
  REQUIRE_FALSE(made);
  CHECK_THAT(made.error().message, Catch::EndsWith("install -d -m 700 -o 65534 " + dir.path("b")));
}

TEST_CASE("a second agent on one state directory is refused with the first one's process id", "[platform]") {
  const test::TempDir dir;
  auto first = StateLock::take(dir.path());
  REQUIRE(first);
  const auto second = StateLock::take(dir.path());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::conflict);
  CHECK(second.error().message.find(std::to_string(::getpid())) != std::string::npos);
  CHECK(second.error().message.find(dir.path()) != std::string::npos);
}

TEST_CASE("a state directory is free again when its process died", "[platform]") {
  const test::TempDir dir;
  const auto child = ::fork();
  if (child == 0) {
    const auto held = StateLock::take(dir.path());
    ::_exit(held ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WEXITSTATUS(status) == 0);
  CHECK(StateLock::take(dir.path()));
}
