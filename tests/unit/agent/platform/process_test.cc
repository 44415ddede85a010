#include "agent/platform/process.h"

#include "agent/platform/fd.h"
#include "shared/base/text.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

using namespace sallyport;
using namespace sallyport::platform;
using namespace std::chrono_literals;

namespace {

class Kept final : public ProcessOutput {
 public:
  explicit Kept(std::size_t limit = SIZE_MAX) : limit_(limit) {}
  Result<void> take_stdout(std::span<const std::byte> bytes) override { return take(out, bytes); }
  Result<void> take_stderr(std::span<const std::byte> bytes) override { return take(err, bytes); }
  std::string out, err;

 private:
  Result<void> take(std::string& into, std::span<const std::byte> bytes) {
    into.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (out.size() + err.size() > limit_) return fail(Errc::too_large, "too much output");
    return {};
  }
  std::size_t limit_;
};

class Pieces final : public ProcessInput {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  Result<std::span<const std::byte>> next_piece() override {
    if (given < pieces_.size()) return as_bytes(pieces_[given++]);
    if (problem) return std::unexpected(*problem);
    return std::span<const std::byte>();
  }
  std::size_t given = 0;
  std::optional<Error> problem;  // behind the last piece

 private:
  std::vector<std::string> pieces_;
};

std::expected<ProcessEnd, ProcessFailure> run_process(const ProcessSpec& spec, SteadyTime deadline,
                                                      std::stop_token stop, ProcessOutput& output) {
  Pieces nothing({});
  return platform::run_process(spec, deadline, std::move(stop), nothing, output);
}

// As the agent does at its start.
[[maybe_unused]] const auto kNoPipeSignal = ::signal(SIGPIPE, SIG_IGN);

SteadyTime soon() { return std::chrono::steady_clock::now() + 60s; }

ProcessSpec shell(std::string script) {
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", std::move(script)};
  spec.environment = {{"PATH", "/usr/bin:/bin"}};
  return spec;
}

bool is_gone(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    if (::kill(pid, 0) != 0) return true;
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);                // fails when it goes away just now
    if (text.contains(") Z ")) return true;  // dead, its new parent has not looked yet
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

}  // namespace

TEST_CASE("a program's output and exit code come back", "[platform][process]") {
  Kept kept;
  const auto end = run_process(shell("echo hello; echo trouble >&2; exit 3"), soon(), {}, kept);
  REQUIRE(end);
  CHECK(end->reason == ProcessEnd::Reason::exited);
  CHECK(end->code == 3);
  CHECK(kept.out == "hello\n");
  CHECK(kept.err == "trouble\n");
}

TEST_CASE("arguments reach the program as they are: no shell in between", "[platform][process]") {
  Kept kept;
  ProcessSpec spec;
  spec.argv = {"/usr/bin/printf", "[%s]", "a b", "$(id)", "; rm -rf /", "'\"", ""};
  REQUIRE(run_process(spec, soon(), {}, kept));
  CHECK(kept.out == "[a b][$(id)][; rm -rf /]['\"][]");
}

TEST_CASE("a program inherits nothing: environment, descriptors, directory, privileges", "[platform][process]") {
  ::setenv("SALLYPORT_CANARY", "secret", 1);
  const Fd leaked(::open("/etc/hostname", O_RDONLY));  // not close-on-exec
  Kept kept;
  auto spec = shell("echo env:; env; echo fds:; ls /proc/self/fd | wc -l; pwd; grep NoNewPrivs /proc/self/status");
  spec.environment.emplace_back("ONLY", "this");
  REQUIRE(run_process(spec, soon(), {}, kept));
  CHECK(kept.out.find("SALLYPORT_CANARY") == std::string::npos);
  CHECK(kept.out.find("ONLY=this") != std::string::npos);
  CHECK(kept.out.find("fds:\n4\n/\n") != std::string::npos);  // 0, 1, 2 and the one ls opens
  CHECK(kept.out.find("NoNewPrivs:\t1") != std::string::npos);
  ::unsetenv("SALLYPORT_CANARY");
}

TEST_CASE("a program reads its standard input to the end, in pieces of any size", "[platform][process]") {
  ProcessSpec spec;
  spec.argv = {"/bin/cat"};
  const std::string large(3'000'000, 'x');
  const std::vector<std::string> pieces =
      GENERATE_REF(values<std::vector<std::string>>({{}, {"text"}, {"a", "b", "c"}, {large, "y", large}}));
  Pieces input(pieces);
  Kept kept;
  REQUIRE(run_process(spec, soon(), {}, input, kept));
  CHECK(kept.out == fmt::format("{}", fmt::join(pieces, "")));
}

TEST_CASE("a program need not read its standard input", "[platform][process]") {
  const char* script = GENERATE("true", "exec <&-; sleep 0.3; echo on", "head -c 10 >/dev/null");
  INFO(script);
  Pieces endless(std::vector<std::string>(100'000, std::string(1'000, 'x')));
  Kept kept;
  const auto end = run_process(shell(script), soon(), {}, endless, kept);
  REQUIRE(end);
  CHECK(end->code == 0);
  CHECK(endless.given < 1'000);  // what a pipe holds, and no more
}

TEST_CASE("standard input that cannot be read on ends the program", "[platform][process]") {
  Pieces input({"first"});
  input.problem = Error{Errc::unavailable, "the share is gone"};
  Kept kept;
  const auto end = run_process(shell("cat; sleep 600"), soon(), {}, input, kept);
  REQUIRE_FALSE(end);
  CHECK(end.error().started);
  CHECK(end.error().error.code == Errc::unavailable);
  CHECK(end.error().error.message.ends_with("the share is gone"));
}

TEST_CASE("a large output arrives whole", "[platform][process]") {
  Kept kept;
  REQUIRE(run_process(shell("head -c 5000000 /dev/zero; head -c 100000 /dev/zero >&2"), soon(), {}, kept));
  CHECK(kept.out.size() == 5'000'000);
  CHECK(kept.err.size() == 100'000);
}

TEST_CASE("the deadline ends the whole group, also children that ignore SIGTERM", "[platform][process]") {
  Kept kept;
  const auto begin = std::chrono::steady_clock::now();
  const auto end = run_process(shell("trap '' TERM; sleep 600 & echo $!; wait; sleep 600"), begin + 2s, {}, kept);
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == Errc::timed_out);
  CHECK(end.error().started);
  CHECK(std::chrono::steady_clock::now() - begin < 60s);
  const auto child = std::stoi(kept.out);
  CHECK(is_gone(child));
}

TEST_CASE("a stop ends the program at once", "[platform][process]") {
  Kept kept;
  std::stop_source stop;
  std::thread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const auto end = run_process(shell("sleep 600"), soon(), stop.get_token(), kept);
  later.join();
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == Errc::cancelled);

  const auto again = run_process(shell("sleep 600"), soon(), stop.get_token(), kept);
  CHECK(again.error().error.code == Errc::cancelled);
}

TEST_CASE("refused output ends the program", "[platform][process]") {
  Kept kept(100'000);
  const auto end = run_process(shell("yes"), soon(), {}, kept);
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == Errc::too_large);
  CHECK(kept.out.size() < 200'000);
}

TEST_CASE("a child left behind does not outlive the program", "[platform][process]") {
  Kept kept;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(run_process(shell("sleep 600 & echo $!"), soon(), {}, kept));
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(is_gone(std::stoi(kept.out)));
}

// Each script tells the number of a process that has left the program's group.
const char* const kEscapes[] = {
    "setsid sh -c 'echo $$; exec sleep 777' & sleep 600",
    "(setsid sh -c 'echo $$; exec sleep 777' &) ; sleep 600",  // its parent is gone: an orphan
    "setsid sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 777\" & exit 0' & sleep 600",  // twice
    "setsid sh -c 'trap \"\" TERM HUP; echo $$; while :; do sleep 1; done' & sleep 600",
};

TEST_CASE("no descendant outlives the deadline, whatever session it is in", "[platform][process]") {
  for (const char* script : kEscapes) {
    INFO(script);
    Kept kept;
    const auto end = run_process(shell(script), std::chrono::steady_clock::now() + 1s, {}, kept);
    REQUIRE_FALSE(end);
    CHECK(end.error().error.code == Errc::timed_out);
    REQUIRE_FALSE(kept.out.empty());
    CHECK(::kill(std::stoi(kept.out), 0) != 0);  // gone when it returns, not some time later
  }
}

TEST_CASE("no descendant outlives a program that ends by itself or is ended for its output", "[platform][process]") {
  const test::TempDir dir;
  const auto script = [&](const std::string& name, const char* end) {
    return shell(
        fmt::format("(setsid sh -c 'echo $$; : > {0}; exec sleep 777' &) ; while ! [ -e {0} ]; do :; done; {1}",
                    dir.path(name), end));
  };
  Kept kept;
  const auto failed = run_process(script("one", "exit 7"), soon(), {}, kept);
  REQUIRE(failed);
  CHECK(failed->code == 7);
  CHECK(::kill(std::stoi(kept.out), 0) != 0);

  Kept refused(1);
  CHECK(run_process(script("two", "sleep 600"), soon(), {}, refused).error().error.code == Errc::too_large);
  CHECK(::kill(std::stoi(refused.out), 0) != 0);
}

TEST_CASE("ending one program leaves another's descendants alone", "[platform][process]") {
  Kept other;
  std::stop_source stop;
  std::expected<ProcessEnd, ProcessFailure> end = ProcessEnd{};
  std::atomic<bool> ended = false;
  std::thread beside([&] {
    end = run_process(shell("setsid sh -c 'echo here; exec sleep 777' & while :; do sleep 0.1; done"), soon(),
                      stop.get_token(), other);
    ended = true;
  });
  Kept kept;
  CHECK_FALSE(run_process(shell(kEscapes[1]), std::chrono::steady_clock::now() + 1s, {}, kept));
  CHECK_FALSE(ended);
  stop.request_stop();
  beside.join();
  CHECK(other.out == "here\n");
  CHECK(end.error().error.code == Errc::cancelled);
}

TEST_CASE("an agent without privileges ends them too, and one that dies leaves none", "[platform][process]") {
  const auto as_nobody = [](auto work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      if (::geteuid() == 0) (void)!::setresuid(65534, 65534, 65534);
      ::_exit(work() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  };
  CHECK(as_nobody([] {
          Kept kept;
          const auto end = run_process(shell(kEscapes[1]), std::chrono::steady_clock::now() + 1s, {}, kept);
          return !end && end.error().error.code == Errc::timed_out && ::kill(std::stoi(kept.out), 0) != 0;
        }) == 0);

  std::array<int, 2> told{};
  REQUIRE(::pipe(told.data()) == 0);
  const Fd reading(told[0]);
  class Telling final : public ProcessOutput {
   public:
    explicit Telling(int to) : to_(to) {}
    Result<void> take_stdout(std::span<const std::byte> bytes) override {
      (void)!::write(to_, bytes.data(), bytes.size());
      ::kill(::getpid(), SIGKILL);
      return {};
    }
    Result<void> take_stderr(std::span<const std::byte>) override { return {}; }

   private:
    int to_;
  };
  CHECK(as_nobody([&] {
          Telling telling(told[1]);
          return run_process(shell(kEscapes[1]), soon(), {}, telling).has_value();
        }) == 128 + SIGKILL);
  ::close(told[1]);
  std::array<char, 32> text{};
  REQUIRE(::read(reading.get(), text.data(), text.size() - 1) > 0);
  CHECK(is_gone(std::stoi(text.data())));
}

TEST_CASE("limits of the kernel are set", "[platform][process]") {
  const test::TempDir dir;
  Kept kept;
  auto spec = shell("ulimit -n; ulimit -t; ulimit -v; ulimit -c");
  spec.limits = {.cpu = 7s, .memory = 512ULL << 20, .open_files = 32, .file_size = 0};
  REQUIRE(run_process(spec, soon(), {}, kept));
  CHECK(kept.out == "32\n7\n524288\n0\n");

  auto writer = shell("head -c 100000 /dev/zero > " + dir.path("big"));
  writer.limits.file_size = 1024;
  Kept ignored;
  (void)run_process(writer, soon(), {}, ignored);
  CHECK(std::filesystem::file_size(dir.path("big")) == 1024);
}

TEST_CASE("a cpu limit ends a busy program", "[platform][process]") {
  Kept kept;
  auto spec = shell("while :; do :; done");
  spec.limits.cpu = 1s;
  const auto end = run_process(spec, soon(), {}, kept);
  REQUIRE(end);
  CHECK(end->reason == ProcessEnd::Reason::signalled);
}

TEST_CASE("another user's rights are taken when root asks for it", "[platform][process]") {
  Kept kept;
  auto spec = shell("id -un; id -G");
  spec.user = "nobody";
  const auto end = run_process(spec, soon(), {}, kept);
  if (::geteuid() == 0) {
    REQUIRE(end);
    CHECK(kept.out == "nobody\n65534\n");
  } else {
    CHECK_FALSE(end);
  }
  spec.user = "no-such-user-here";
  CHECK(run_process(spec, soon(), {}, kept).error().error.code == Errc::not_found);
}

TEST_CASE("a program whose start hangs is given up at the deadline and at a stop", "[platform][process]") {
  const test::TempDir dir;
  const auto program = dir.path("program");
  std::filesystem::copy_file("/bin/true", program);
  // Whoever opens a leased file waits until its holder gives way, or for 45 seconds.
  const Fd lease(::open(program.c_str(), O_RDWR | O_CLOEXEC));
  ::signal(SIGIO, SIG_IGN);
  if (::fcntl(lease.get(), F_SETLEASE, F_WRLCK) != 0) {
    WARN("no leases here");
    return;
  }
  Kept kept;
  ProcessSpec spec;
  spec.argv = {program};
  std::stop_source stop;
  const bool stopped = GENERATE(false, true);
  std::thread stopper([&] {
    std::this_thread::sleep_for(200ms);
    if (stopped) stop.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto end = run_process(spec, stopped ? soon() : begin + 300ms, stop.get_token(), kept);
  stopper.join();
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == (stopped ? Errc::cancelled : Errc::timed_out));
  CHECK(std::chrono::steady_clock::now() - begin < 20s);
}

TEST_CASE("a program that cannot start says why", "[platform][process]") {
  const test::TempDir dir;
  Kept kept;
  ProcessSpec spec;
  spec.argv = {dir.path("none")};
  const auto missing = run_process(spec, soon(), {}, kept);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().error.code == Errc::not_found);
  CHECK(missing.error().error.message.find(dir.path("none")) != std::string::npos);
  CHECK_FALSE(missing.error().started);
  spec.argv = {dir.write("text", "not a program")};
  CHECK(run_process(spec, soon(), {}, kept).error().error.code == Errc::forbidden);
  spec.argv = {"ls"};
  CHECK(run_process(spec, soon(), {}, kept).error().error.code == Errc::invalid);
  spec.argv = {"/bin/true"};
  spec.working_directory = dir.path("none");
  CHECK(run_process(spec, soon(), {}, kept).error().error.code == Errc::not_found);
  spec.working_directory = "/";
  spec.argv = {"/bin/true", std::string("a\0b", 3)};
  CHECK(run_process(spec, soon(), {}, kept).error().error.code == Errc::invalid);
}
