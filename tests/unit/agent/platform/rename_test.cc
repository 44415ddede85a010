// A file system without RENAME_NOREPLACE, as NFS is one: the kernel itself refuses the flag, to one thread.
#include "agent/platform/beneath.h"
#include "shared/base/text.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>
#include <vector>

using namespace sallyport;
using namespace sallyport::platform;
namespace fs = std::filesystem;

namespace {

enum class Links { work, refused };

// From here on this thread's renameat2() with flags fails with EINVAL, and its linkat() with EPERM where links are
// refused.
bool limit_this_thread(Links links) {
  const auto load = [](std::size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
  };
  const auto answer = [](unsigned what) { return sock_filter BPF_STMT(BPF_RET | BPF_K, what); };
  const auto unless = [](unsigned value, unsigned char skip) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
  };
  std::vector<sock_filter> program{load(offsetof(seccomp_data, nr)),
                                   unless(SYS_renameat2, 4),
                                   load(offsetof(seccomp_data, args[4])),
                                   unless(0, 1),
                                   answer(SECCOMP_RET_ALLOW),
                                   answer(SECCOMP_RET_ERRNO | EINVAL)};
  if (links == Links::refused) {
    program.push_back(unless(SYS_linkat, 1));
    program.push_back(answer(SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(answer(SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

// Assertions are made here, by the test's own thread.
template <class Body>
auto on_such_a_file_system(Links links, Body body) {
  bool limited = false;
  decltype(body()) result;
  std::thread thread([&] {
    limited = limit_this_thread(links);
    if (limited) result = body();
  });
  thread.join();
  REQUIRE(limited);
  return result;
}

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

std::string code_of(const Result<void>& result) { return result ? "" : std::string(to_string(result.error().code)); }

}  // namespace

TEST_CASE("without the flag a file is moved all the same, and replaces nothing", "[platform][rename]") {
  Yard yard;
  const auto taken = on_such_a_file_system(
      Links::work, [&] { return code_of(yard.root.rename("in/a.csv", "done/old.csv", Replace::never)); });
  CHECK(taken == "conflict");
  CHECK(text_of(yard.dir.path("done/old.csv")) == "old");
  CHECK(text_of(yard.dir.path("in/a.csv")) == "new");
  const auto moved = on_such_a_file_system(
      Links::work, [&] { return code_of(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)); });
  CHECK(moved.empty());
  CHECK(text_of(yard.dir.path("done/a.csv")) == "new");
  CHECK(yard.entries("in") == 0);
}

TEST_CASE("a move that was cut off between its two halves is brought to its end", "[platform][rename][crash]") {
  Yard yard;
  fs::create_hard_link(yard.dir.path("in/a.csv"), yard.dir.path("done/a.csv"));
  const auto moved = on_such_a_file_system(
      Links::work, [&] { return code_of(yard.root.rename("in/a.csv", "done/a.csv", Replace::never)); });
  CHECK(moved.empty());
  CHECK(text_of(yard.dir.path("done/a.csv")) == "new");
  CHECK(yard.entries("in") == 0);
}

TEST_CASE("without the flag a new file gets its name, and not one that is taken", "[platform][rename]") {
  Yard yard;
  const auto create = [&](const char* path) {
    return on_such_a_file_system(Links::work, [&] {
      auto file = yard.root.create(path, 0600, "test");
      if (!file) return std::string("not created");
      if (!file->write(as_bytes("x"))) return std::string("not written");
      const auto facts = file->commit(Replace::never);
      return facts ? std::string() : std::string(to_string(facts.error().code));
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
  const auto refused = on_such_a_file_system(Links::refused, [&] {
    const auto moved = yard.root.rename("in/a.csv", "done/a.csv", Replace::never);
    return moved ? std::string() : moved.error().message;
  });
  CHECK(refused.starts_with("moving in/a.csv to done/a.csv: this file system can neither rename without replacing"));
  CHECK(refused.find("`overwrite: true` of file.move@1") != std::string::npos);
  const auto replaced = on_such_a_file_system(
      Links::refused, [&] { return code_of(yard.root.rename("in/a.csv", "done/old.csv", Replace::allowed)); });
  CHECK(replaced.empty());
  CHECK(text_of(yard.dir.path("done/old.csv")) == "new");
}
