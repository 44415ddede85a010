#include "agent/platform/beneath.h"
#include "shared/base/text.h"
#include "tests/support/poor_file_system.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

using namespace sallyport;
using namespace sallyport::platform;
namespace fs = std::filesystem;

namespace {

const test::PoorFileSystem kNoFlags{.rename_with_flags = EINVAL};
const test::PoorFileSystem kNoFlagsNorLinks{.rename_with_flags = EINVAL, .link = EPERM, .unnamed_files = EOPNOTSUPP};

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Yard {
  test::TempDir dir;
  Root root;
  Yard() : root(make()) {}
  Root make() {
    dir.write("in/a.csv", "new");
    dir.write("done/old.csv", "old");
    return *Root::open(dir.path("."));
  }
  std::size_t entries(const std::string& path) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir.path(path)), fs::directory_iterator()));
  }
};

std::string code_of(const Change<>& change) {
  return change
             ? ""
             : std::string(change.error().unsure ? "unsure: " : "") + std::string(to_string(change.error().error.code));
}

}  // namespace

TEST_CASE("without the flag a file is moved all the same, and replaces nothing", "[platform][rename]") {
  Yard yard;
  const auto taken =
      test::on(kNoFlags, [&] { return code_of(yard.root.rename("in/a.csv", "done/old.csv", Replace::never)); });
  CHECK(taken == "conflict");
  CHECK(text_of(yard.dir.path("done/old.csv")) == "old");
  CHECK(text_of(yard.dir.path("in/a.csv")) == "new");
  const auto moved =
      test::on(kNoFlags, [&] { return code_of(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)); });
  CHECK(moved.empty());
  CHECK(text_of(yard.dir.path("done/a.csv")) == "new");
  CHECK(yard.entries("in") == 0);
}

TEST_CASE("a move that was cut off between its two halves is brought to its end", "[platform][rename][crash]") {
  Yard yard;
  fs::create_hard_link(yard.dir.path("in/a.csv"), yard.dir.path("done/a.csv"));
  const auto moved =
      test::on(kNoFlags, [&] { return code_of(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)); });
  CHECK(moved.empty());
  CHECK(text_of(yard.dir.path("done/a.csv")) == "new");
  CHECK(yard.entries("in") == 0);
}

TEST_CASE("without the flag a new file gets its name, and not one that is taken", "[platform][rename]") {
  Yard yard;
  const auto create = [&](const char* path) {
    return test::on(kNoFlags, [&] {
      auto file = yard.root.create(path, 0600, "test");
      if (!file) return std::string("not created");
      if (!file->write(as_bytes("x"))) return std::string("not written");
      const auto facts = file->commit(Replace::never);
      return facts ? std::string() : std::string(to_string(facts.error().error.code));
    });
  };
  CHECK(create("done/new.csv").empty());
  CHECK(text_of(yard.dir.path("done/new.csv")) == "x");
  CHECK(create("done/old.csv") == "conflict");
  CHECK(text_of(yard.dir.path("done/old.csv")) == "old");
  CHECK(yard.entries("done") == 2);  // and nothing half-written
}

TEST_CASE("where links do not work either, the text says what does", "[platform][rename]") {
  Yard yard;
  const auto refused = test::on(kNoFlagsNorLinks, [&] {
    const auto moved = yard.root.rename("in/a.csv", "done/a.csv", Replace::never);
    return moved ? std::string() : moved.error().error.message;
  });
  CHECK(refused.starts_with("moving in/a.csv to done/a.csv: this file system can neither rename without replacing"));
  CHECK(refused.find("`overwrite: true` of file.move@1") != std::string::npos);
  const auto replaced = test::on(
      kNoFlagsNorLinks, [&] { return code_of(yard.root.rename("in/a.csv", "done/old.csv", Replace::allowed)); });
  CHECK(replaced.empty());
  CHECK(text_of(yard.dir.path("done/old.csv")) == "new");
}

TEST_CASE("a first name that does not go takes the second away again", "[platform][rename]") {
  Yard yard;
  const Fd in(::open(yard.dir.path("in").c_str(), O_RDONLY | O_DIRECTORY));
  int flags = FS_APPEND_FL;  // nothing in it can be deleted
  if (::ioctl(in.get(), FS_IOC_SETFLAGS, &flags) != 0) {
    WARN("a directory cannot be made append-only here");
    return;
  }
  const auto moved =
      test::on(kNoFlags, [&] { return code_of(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)); });
  flags = 0;
  ::ioctl(in.get(), FS_IOC_SETFLAGS, &flags);
  CHECK(moved == "forbidden");
  CHECK(yard.entries("in") == 1);
  CHECK(yard.entries("done") == 1);
}

TEST_CASE("a change of names that was not answered may have happened", "[platform][rename]") {
  Yard yard;
  const auto both_stay = test::on({.rename_with_flags = EINVAL, .unlink = EACCES},
                                  [&] { return code_of(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)); });
  CHECK(both_stay == "unsure: forbidden");
  const auto move_with = [&](unsigned code) {
    return test::on({.rename = code},
                    [&] { return code_of(yard.root.rename("in/a.csv", "done/b.csv", Replace::allowed)); });
  };
  CHECK(move_with(EIO) == "unsure: unavailable");
  CHECK(move_with(ETIMEDOUT) == "unsure: timed_out");
  CHECK(move_with(EBUSY) == "unavailable");
  CHECK(move_with(EROFS) == "forbidden");
  const auto remove_with = [&](unsigned code) {
    return test::on({.unlink = code}, [&] { return code_of(yard.root.remove("in/a.csv")); });
  };
  CHECK(remove_with(EIO) == "unsure: unavailable");
  CHECK(remove_with(EPERM) == "forbidden");
}
