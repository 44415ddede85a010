#include "shared/base/undumpable.h"

#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <optional>

using namespace sallyport;

namespace {

constexpr rlim_t kSmallCore = 64u << 10;

// How a child ended that did this and then crashed, with core files of a few pages allowed before.
int crashed_after(int signal, const std::function<void()>& first) {
  const test::TempDir folder;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(signal, SIG_DFL);
    const rlimit small{kSmallCore, kSmallCore};
    const bool ready = ::setrlimit(RLIMIT_CORE, &small) == 0 && ::chdir(folder.path().c_str()) == 0;
    if (!ready) ::_exit(1);
    first();
    ::raise(signal);
    ::_exit(2);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 1) return 0;  // nobody may have core files here
  REQUIRE(WIFSIGNALED(status));
  return status;
}

int exit_of(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("a crash of an undumpable process leaves no core", "[undumpable]") {
  const int signal = GENERATE(SIGABRT, SIGSEGV);
  if (!WCOREDUMP(crashed_after(signal, [] {}))) {
    WARN("this machine writes no cores at all: the control is missing");
  }
  CHECK_FALSE(WCOREDUMP(crashed_after(signal, [] { (void)become_undumpable(); })));
}

TEST_CASE("an undumpable process has no core limit left and belongs to nobody else", "[undumpable]") {
  CHECK(exit_of([] { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1; }) == 0);
  CHECK(exit_of([] {
          rlimit left{1, 1};
          return become_undumpable() && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                 ::getrlimit(RLIMIT_CORE, &left) == 0 && left.rlim_cur == 0 && left.rlim_max == 0;
        }) == 0);
}
