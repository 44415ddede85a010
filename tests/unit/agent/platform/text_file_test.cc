#include "agent/platform/text_file.h"

#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

using namespace sallyport;
using namespace sallyport::platform;

namespace {

void set_mode(const std::string& path, unsigned mode) { REQUIRE(::chmod(path.c_str(), mode) == 0); }

void check_refused(const Result<std::string>& read, std::string_view command) {
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::forbidden);
  INFO(read.error().message);
  CHECK(read.error().message.ends_with(command));
}

}  // namespace

TEST_CASE("configuration files are bounded and written atomically", "[platform]") {
  const test::TempDir dir;
  REQUIRE(write_file_atomically(dir.path("x.yaml"), "hello", 0640));
  std::filesystem::create_directory(dir.path("folder"));
  CHECK(*read_text_file(dir.path("x.yaml")) == "hello");
  CHECK(read_text_file(dir.path("x.yaml"), 4).error().code == Errc::too_large);
  CHECK(read_text_file(dir.path("folder")).error().code == Errc::invalid);
  CHECK(read_text_file(dir.path("none")).error().code == Errc::not_found);
}

TEST_CASE("a configuration file that others may write to is refused with the command that repairs it", "[platform]") {
  const test::TempDir dir;
  const auto path = dir.write("policy.yaml", "actions: []");
  for (unsigned mode : {0666u, 0664u, 0646u, 0620u, 0602u, 0777u}) {
    set_mode(path, mode);
    check_refused(read_text_file(path), "run: chmod go-w " + path);
  }
  for (unsigned mode : {0644u, 0640u, 0600u, 0444u, 0755u}) {
    set_mode(path, mode);
    CHECK(read_text_file(path));
  }
}

TEST_CASE("a configuration file or folder of somebody else is refused", "[platform]") {
  if (::geteuid() != 0) return;  // only root can give a file away
  const test::TempDir dir;
  const auto path = dir.write("policy.yaml", "actions: []");
  REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
  check_refused(read_text_file(path), "run: chown 0 " + path);
  REQUIRE(::chown(path.c_str(), 0, 65534) == 0);
  CHECK(read_text_file(path));
  REQUIRE(::chown(dir.path().c_str(), 65534, 0) == 0);
  check_refused(read_text_file(path), "run: chown 0 " + dir.path());
}

TEST_CASE("a file of root is good for an agent that is not root", "[platform]") {
  if (::geteuid() != 0) return;
  const test::TempDir dir;
  const auto path = dir.write("policy.yaml", "actions: []");
  set_mode(dir.path(), 0755);
  REQUIRE(::seteuid(65534) == 0);
  const auto read = read_text_file(path);
  REQUIRE(::seteuid(0) == 0);
  CHECK(read);
}

TEST_CASE("a folder that others may write to is refused, unless only an owner can replace there", "[platform]") {
  const test::TempDir dir;
  const auto path = dir.write("folder/policy.yaml", "actions: []");
  const auto folder = dir.path("folder");
  for (unsigned mode : {0777u, 0775u, 0757u}) {
    set_mode(folder, mode);
    check_refused(read_text_file(path), "run: chmod go-w " + folder);
    CHECK(check_operators_folder(folder).error().message.ends_with("run: chmod go-w " + folder));
  }
  for (unsigned mode : {0755u, 0700u, 01777u}) {
    set_mode(folder, mode);
    CHECK(read_text_file(path));
    CHECK(check_operators_folder(folder));
  }
  CHECK(check_operators_folder(dir.path("none")).error().code == Errc::not_found);
}

TEST_CASE("a configuration file behind a link is held to the folder it really lies in", "[platform]") {
  const test::TempDir dir;
  const auto real = dir.write("open/policy.yaml", "actions: []");
  const auto link = dir.path("policy.yaml");
  std::filesystem::create_symlink(real, link);
  CHECK(read_text_file(link));
  set_mode(dir.path("open"), 0777);
  check_refused(read_text_file(link), "run: chmod go-w " + dir.path("open"));
}
