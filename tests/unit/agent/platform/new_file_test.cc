#include "agent/platform/beneath.h"

#include "shared/base/text.h"
#include "tests/support/failing_fsync.h"
#include "tests/support/poor_file_system.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace sallyport;
using namespace sallyport::platform;
namespace fs = std::filesystem;

namespace {

const test::PoorFileSystem kNoUnnamedFiles{.unnamed_files = EOPNOTSUPP};
constexpr std::string_view kMaker = "0123456789abcdef0123";

struct Yard {
  test::TempDir dir;
  Root root = *Root::open(dir.path("."));
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir.path(".")), fs::directory_iterator()));
  }
  bool has_unnamed_files() const { return Fd(::open(dir.path(".").c_str(), O_TMPFILE | O_WRONLY, 0600)).get() >= 0; }
};

Change<FileFacts> put(const Root& root, std::string_view path, std::string_view text,
                      Replace replace = Replace::allowed) {
  auto file = root.create(path, 0640, kMaker);
  if (!file) return std::unexpected(ChangeError{file.error()});
  if (const auto written = file->write(as_bytes(text)); !written) return std::unexpected(ChangeError{written.error()});
  return file->commit(replace);
}

// Is killed, so to speak, with a file half-written.
bool die_in_the_middle(const Root& root, const test::PoorFileSystem& poor) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = poor.limit_this_thread() ? root.create("half.csv", 0640, kMaker) : fail(Errc::internal, "");
    const bool written = file && file->write(as_bytes("half"));
    ::_exit(written ? 0 : 1);  // no destructor runs
  }
  int status = 1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

mode_t own_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

// Names are as they were, or who knows.
std::string told(const Change<>& change) {
  if (change) return "done";
  return std::string(change.error().unsure ? "unsure: " : "as before: ") + change.error().error.message;
}
std::string told(const Change<FileFacts>& change) {
  return told(change ? Change<>() : Change<>(std::unexpected(change.error())));
}

struct FsyncFails {
  FsyncFails(int of_directories, int of_files) {
    test::failing_fsync().of_directories = of_directories;
    test::failing_fsync().of_files = of_files;
  }
  ~FsyncFails() { test::failing_fsync().of_directories = test::failing_fsync().of_files = 0; }
};

}  // namespace

TEST_CASE("a process that is killed while it writes leaves nothing", "[platform][crash]") {
  const Yard yard;
  if (!yard.has_unnamed_files()) {
    WARN("this file system has no unnamed files");
    return;
  }
  REQUIRE(die_in_the_middle(yard.root, {}));
  CHECK(yard.entries() == 0);
}

TEST_CASE("where a file must have a name, what a killed process left goes when its maker comes again",
          "[platform][crash]") {
  const Yard yard;
  REQUIRE(die_in_the_middle(yard.root, kNoUnnamedFiles));
  REQUIRE(yard.entries() == 1);
  REQUIRE(yard.root.discard_partials("half.csv", "another"));
  REQUIRE(yard.root.discard_partials("other.csv", kMaker));
  CHECK(yard.entries() == 1);
  REQUIRE(yard.root.discard_partials("half.csv", kMaker));
  CHECK(yard.entries() == 0);
  CHECK(yard.root.discard_partials("nowhere/x", "a").error().code == Errc::not_found);
}

TEST_CASE("a new file is the same whether or not it had a name before", "[platform]") {
  const Yard yard;
  yard.dir.write("old.csv", "old");
  const bool unnamed = GENERATE(true, false);
  INFO("unnamed " << unnamed);
  const auto write = [&](std::string_view path, Replace replace) {
    return test::on(unnamed ? test::PoorFileSystem{} : kNoUnnamedFiles, [&] {
      const auto made = put(yard.root, path, "content", replace);
      return made ? (*made == yard.root.facts(path) ? "same" : "other") : told(made);
    });
  };
  const std::string long_name(250, 'n');
  CHECK(write("a.csv", Replace::never) == "same");
  CHECK(write("old.csv", Replace::allowed) == "same");
  CHECK(write(long_name, Replace::never) == "same");
  CHECK(write("a.csv", Replace::never).starts_with("as before: giving a.csv its name"));
  CHECK(yard.dir.read("a.csv") == "content");
  CHECK(yard.dir.read("old.csv") == "content");
  CHECK(yard.entries() == 3);  // and nothing half-written
  struct stat info{};
  REQUIRE(::stat(yard.dir.path("a.csv").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == (0640 & ~own_umask()));
  CHECK(info.st_nlink == 1);
}

TEST_CASE("a file that was dropped, or that gets no name, leaves nothing", "[platform]") {
  const Yard yard;
  const bool unnamed = GENERATE(true, false);
  const unsigned lacking = unnamed ? 0 : EOPNOTSUPP;
  const auto dropped = test::on({.unnamed_files = lacking}, [&] {
    auto file = yard.root.create("half.csv", 0640, kMaker);
    return file && file->write(as_bytes("half"));
  });
  CHECK(dropped);
  CHECK(yard.entries() == 0);
  const auto refused =
      test::on({.rename = EROFS, .unnamed_files = lacking}, [&] { return told(put(yard.root, "a.csv", "x")); });
  CHECK(refused == "as before: giving a.csv its name: Read-only file system");
  CHECK(yard.entries() == 0);
  if (!unnamed) return;
  const auto no_link = test::on({.link = EIO}, [&] { return told(put(yard.root, "a.csv", "x")); });
  CHECK(no_link == "as before: giving a.csv its name: Input/output error");
  CHECK(yard.entries() == 0);
}

TEST_CASE("a content that is not durable gets no name", "[platform][durable]") {
  const Yard yard;
  const FsyncFails fails(0, EIO);
  CHECK(told(put(yard.root, "a.csv", "x")) == "as before: making a.csv durable: Input/output error");
  CHECK(yard.entries() == 0);
}

TEST_CASE("a change whose directory cannot be made durable has happened, and is unsure", "[platform][durable]") {
  const Yard yard;
  yard.dir.write("in/a.csv", "x");
  yard.dir.write("in/b.csv", "x");
  fs::create_directory(yard.dir.path("done"));
  const FsyncFails fails(EIO, 0);
  CHECK(told(put(yard.root, "done/new.csv", "x")) == "unsure: making new.csv durable: Input/output error");
  CHECK(yard.dir.read("done/new.csv") == "x");
  CHECK(told(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)) ==
        "unsure: making the move of in/a.csv to done/a.csv durable: Input/output error");
  CHECK(yard.dir.has("done/a.csv"));
  CHECK(told(yard.root.remove("in/b.csv")) == "unsure: making the deletion of in/b.csv durable: Input/output error");
  CHECK_FALSE(yard.dir.has("in/b.csv"));
  CHECK(told(yard.root.make_durable("in/b.csv")) == "unsure: making in/b.csv durable: Input/output error");
  CHECK(told(yard.root.make_durable("nowhere/b.csv")) == "done");
}

TEST_CASE("a file system that does not synchronise directories is written to all the same", "[platform][durable]") {
  const Yard yard;
  const FsyncFails fails(EINVAL, 0);
  CHECK(told(put(yard.root, "a.csv", "x")) == "done");
  CHECK(told(yard.root.rename("a.csv", "b.csv", Replace::never)) == "done");
  CHECK(told(yard.root.remove("b.csv")) == "done");
}
