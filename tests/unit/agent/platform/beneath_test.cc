#include "agent/platform/beneath.h"

#include "shared/base/text.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

using namespace sallyport;
using namespace sallyport::platform;
namespace fs = std::filesystem;

namespace {

std::string content_of(const Fd& file) {
  std::string text(4096, '\0');
  const auto got = ::pread(file.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

Result<FileFacts> put(const Root& root, std::string_view path, std::string_view text,
                      Replace replace = Replace::allowed) {
  SP_TRY(auto file, root.create(path, 0600, "test"));
  SP_CHECK(file.write(as_bytes(text)));
  auto committed = file.commit(replace);
  if (!committed) return std::unexpected(std::move(committed).error().error);
  return *std::move(committed);
}

Result<std::vector<DirectoryEntry>> list(const Root& root, std::string_view path) {
  std::vector<DirectoryEntry> files;
  SP_CHECK(root.each_file(
      path, [](auto) { return true; },
      [&](DirectoryEntry file) {
        files.push_back(std::move(file));
        return true;
      }));
  std::ranges::sort(files, {}, &DirectoryEntry::name);
  return files;
}

// A root with something worth stealing next to it.
struct Yard {
  test::TempDir dir;
  Root root;
  Yard() : root(make()) {}
  Root make() {
    dir.write("secret.txt", "stolen");
    dir.write("secrets/deep.txt", "stolen");
    dir.write("root/in/a.csv", "1,2");
    return *Root::open(dir.path("root"));
  }
};

}  // namespace

TEST_CASE("paths are cleaned, and those that could leave are refused", "[platform][confinement]") {
  CHECK(clean_path("a/b.csv") == "a/b.csv");
  CHECK(clean_path("./a//b/./c/") == "a/b/c");
  CHECK(clean_path("") == ".");
  CHECK(clean_path("./") == ".");
  CHECK(clean_path("a..b/...") == "a..b/...");
  for (std::string_view bad : {"/etc/passwd", "..", "a/../b", "a/..", "../x", "a\nb", "a\x7f"}) {
    INFO(bad);
    CHECK_FALSE(clean_path(bad));
  }
  CHECK_FALSE(clean_path(std::string_view("a\0b", 3)));
  CHECK_FALSE(clean_path(std::string(5000, 'a')));
  CHECK_FALSE(clean_path(std::string(256, 'a')));
}

TEST_CASE("a file below the root is read, listed, moved and deleted", "[platform]") {
  const Yard yard;
  CHECK(content_of(*yard.root.open_file("in/a.csv")) == "1,2");
  REQUIRE(put(yard.root, "in/b.csv", "new"));
  REQUIRE(put(yard.root, "in/.hidden", "new"));
  const auto listed = list(yard.root, "in");
  REQUIRE(listed);
  REQUIRE(listed->size() == 2);
  CHECK(listed->at(0).name == "a.csv");
  CHECK(listed->at(1).facts.size == 3);
  REQUIRE(yard.root.make_directory("done/today"));
  std::set<std::string> directories;
  REQUIRE(yard.root.each_directory(".", [&](std::string name) { return directories.insert(std::move(name)).second; }));
  CHECK(directories == std::set<std::string>{"done", "in"});
  REQUIRE(yard.root.rename("in/b.csv", "done/today/b.csv", Replace::never));
  CHECK(yard.dir.read("root/done/today/b.csv") == "new");
  REQUIRE(yard.root.remove("done/today/b.csv"));
  CHECK(yard.root.facts("done/today/b.csv").error().code == Errc::not_found);
}

TEST_CASE("only wanted names are looked at, until the visitor has enough", "[platform]") {
  const Yard yard;
  for (int i = 0; i < 100; ++i) yard.dir.write("root/in/" + std::to_string(i) + ".txt", "x");
  std::vector<std::string> found;
  const auto visit = [&](DirectoryEntry file) { return found.push_back(std::move(file.name)), found.size() < 3; };
  REQUIRE(yard.root.each_file("in", [](std::string_view name) { return name.ends_with(".csv"); }, visit));
  CHECK(found == std::vector<std::string>{"a.csv"});
  found.clear();
  REQUIRE(yard.root.each_file("in", [](std::string_view name) { return name.ends_with(".txt"); }, visit));
  CHECK(found.size() == 3);
  CHECK(yard.root.each_file("nowhere", [](auto) { return true; }, visit).error().code == Errc::not_found);
}

TEST_CASE("a file appears complete or not at all, and leaves nothing when dropped", "[platform]") {
  const Yard yard;
  {
    auto file = *yard.root.create("in/half.csv", 0640, "test");
    REQUIRE(file.write(as_bytes("half")));
    CHECK_FALSE(yard.dir.has("root/in/half.csv"));
  }
  CHECK(std::distance(fs::directory_iterator(yard.dir.path("root/in")), fs::directory_iterator()) == 1);
  REQUIRE(put(yard.root, "in/a.csv", "replaced"));
  CHECK(yard.dir.read("root/in/a.csv") == "replaced");
  CHECK(put(yard.root, "in/a.csv", "again", Replace::never).error().code == Errc::conflict);
  CHECK(yard.dir.read("root/in/a.csv") == "replaced");
  CHECK(std::distance(fs::directory_iterator(yard.dir.path("root/in")), fs::directory_iterator()) == 1);
  CHECK(put(yard.root, "nowhere/x", "y").error().code == Errc::not_found);
}

TEST_CASE("links that lead outside are refused, whatever the operation", "[platform][confinement]") {
  const Yard yard;
  fs::create_symlink(yard.dir.path("secret.txt"), yard.dir.path("root/in/absolute"));
  fs::create_symlink("../../secret.txt", yard.dir.path("root/in/relative"));
  fs::create_directory_symlink(yard.dir.path("secrets"), yard.dir.path("root/out"));
  fs::create_symlink("a.csv", yard.dir.path("root/in/inside"));

  SECTION("positive control: a plain open follows them") {
    const Fd plain(::open(yard.dir.path("root/in/relative").c_str(), O_RDONLY));
    CHECK(content_of(plain) == "stolen");
    const Fd deep(::openat(AT_FDCWD, yard.dir.path("root/out/deep.txt").c_str(), O_RDONLY));
    CHECK(content_of(deep) == "stolen");
  }
  for (std::string_view path : {"in/absolute", "in/relative", "in/inside", "out/deep.txt"}) {
    INFO(path);
    CHECK(yard.root.open_file(path).error().code == Errc::forbidden);
  }
  CHECK(put(yard.root, "out/planted.txt", "x").error().code == Errc::forbidden);
  CHECK_FALSE(yard.dir.has("secrets/planted.txt"));
  CHECK(list(yard.root, "out").error().code == Errc::forbidden);
  CHECK(yard.root.rename("in/a.csv", "out/a.csv", Replace::allowed).error().error.code == Errc::forbidden);
  CHECK(yard.root.rename("out/deep.txt", "in/mine.txt", Replace::allowed).error().error.code == Errc::forbidden);
  CHECK(yard.root.remove("out/deep.txt").error().error.code == Errc::forbidden);
  CHECK(yard.root.make_directory("out/new").error().code == Errc::forbidden);
  CHECK(yard.dir.read("secrets/deep.txt") == "stolen");

  SECTION("writing over a link replaces the link, not what it points to") {
    REQUIRE(put(yard.root, "in/absolute", "mine"));
    CHECK(yard.dir.read("secret.txt") == "stolen");
    CHECK(yard.dir.read("root/in/absolute") == "mine");
  }
  SECTION("listing shows regular files only") {
    const auto listed = *list(yard.root, "in");
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].name == "a.csv");
  }
}

TEST_CASE("a directory swapped for a link during the walk never leads outside", "[platform][confinement]") {
  const Yard yard;
  fs::create_directory(yard.dir.path("root/box"));
  yard.dir.write("root/box/deep.txt", "inside");
  fs::create_directory_symlink(yard.dir.path("secrets"), yard.dir.path("root/trap"));

  std::atomic<bool> over{false};
  std::thread swapper([&] {
    const auto box = yard.dir.path("root/box"), trap = yard.dir.path("root/trap");
    while (!over) ::renameat2(AT_FDCWD, box.c_str(), AT_FDCWD, trap.c_str(), RENAME_EXCHANGE);
  });
  int confined_leaks = 0, confined_reads = 0, plain_leaks = 0, writes = 0;
  for (int i = 0; i < 6'000; ++i) {
    if (const auto file = yard.root.open_file("box/deep.txt")) {
      const auto text = content_of(*file);
      confined_leaks += text == "stolen";
      confined_reads += text == "inside";
    }
    const Fd plain(::open(yard.dir.path("root/box/deep.txt").c_str(), O_RDONLY));
    plain_leaks += content_of(plain) == "stolen";
    if (i % 20 == 0) writes += put(yard.root, "box/written.txt", "x").has_value();
  }
  over = true;
  swapper.join();
  CHECK(confined_leaks == 0);
  CHECK(confined_reads > 0);
  CHECK(writes > 0);
  CHECK(plain_leaks > 0);  // positive control: the race was there
  CHECK_FALSE(yard.dir.has("secrets/written.txt"));
}

TEST_CASE("only regular files are opened", "[platform]") {
  const Yard yard;
  REQUIRE(::mkfifo(yard.dir.path("root/in/pipe").c_str(), 0600) == 0);
  CHECK(yard.root.open_file("in/pipe").error().code == Errc::invalid);
  CHECK(yard.root.open_file("in").error().code == Errc::invalid);
  CHECK(yard.root.facts("in").error().code == Errc::invalid);
  CHECK(yard.root.open_file("in/none").error().code == Errc::not_found);
  CHECK(Root::open(yard.dir.path("none")).error().code == Errc::not_found);
}

namespace {

// In a mount namespace of its own: an overlay is mounted, examined, and mounted anew. The exit code says what was
// found.
enum Remounted : int { kSame = 0, kOther = 1, kNoMounts = 77 };

int look_across_mounts(const test::TempDir& dir) {
  const auto options = "lowerdir=" + dir.path("low") + ",upperdir=" + dir.path("up") + ",workdir=" + dir.path("work");
  const auto at = dir.path("at");
  const auto mount_it = [&] { return ::mount("overlay", at.c_str(), "overlay", 0, options.c_str()) == 0; };
  const auto facts = [&] {
    const auto root = Root::open(at);
    return root ? root->facts("a.csv").value_or(FileFacts{}) : FileFacts{};
  };
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || !mount_it())
    return kNoMounts;
  const auto before = facts();
  struct stat first{}, second{};
  ::stat((at + "/a.csv").c_str(), &first);
  const Fd keeps_the_number(::open(at.c_str(), O_RDONLY | O_DIRECTORY));
  if (::umount2(at.c_str(), MNT_DETACH) != 0 || !mount_it()) return kNoMounts;
  ::stat((at + "/a.csv").c_str(), &second);
  if (first.st_dev == second.st_dev) return kNoMounts;  // it would prove nothing
  return !before.identity.empty() && facts() == before ? kSame : kOther;
}

}  // namespace

TEST_CASE("a file is the same one after its file system was mounted anew", "[platform]") {
  const test::TempDir dir;
  for (const char* name : {"low", "up", "work", "at"}) std::filesystem::create_directory(dir.path(name));
  dir.write("up/a.csv", "1,2\n");
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(look_across_mounts(dir));
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoMounts) {
    WARN("mounting is not allowed here");
    return;
  }
  CHECK(WEXITSTATUS(status) == kSame);
}

TEST_CASE("facts change with content, time and identity", "[platform]") {
  const Yard yard;
  const auto before = *yard.root.facts("in/a.csv");
  REQUIRE(put(yard.root, "in/a.csv", "1,2"));
  const auto after = *yard.root.facts("in/a.csv");
  CHECK(before.size == after.size);
  CHECK(before.identity != after.identity);
}
