#include "agent/platform/process_child_posix.h"

#include "agent/platform/os_error.h"
#include "agent/platform/process_keeper_posix.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>

namespace sallyport::platform {
namespace {

struct Pipe {
  Fd reading, writing;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return os_fail("making a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

struct Identity {
  uid_t uid;
  gid_t gid;
};

Result<std::optional<Identity>> find_user(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::array<char, 16384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (const int code = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found); code != 0)
    return os_fail(code, "looking up the user " + name);
  if (found == nullptr) return fail(Errc::not_found, "there is no user \"" + name + "\" on this machine");
  if (entry.pw_uid == ::geteuid()) return std::nullopt;
  return Identity{entry.pw_uid, entry.pw_gid};
}

// Everything the child side needs, made before the fork.
struct Prepared {
  std::vector<std::string> environment_text;
  std::vector<char*> argv, environment;
  std::optional<Identity> identity;
  const char* directory = nullptr;
  ProcessLimits limits;
  int in = -1, out = -1, err = -1, report = -1, result = -1;
};

enum class Stage : int { descriptors, keeper, group, limits, user, directory, program };

struct Failure {
  Stage stage;
  int code;
};

[[noreturn]] void give_up(int report, Stage stage) {
  const Failure failure{stage, errno};
  (void)!::write(report, &failure, sizeof(failure));
  ::_exit(127);
}

bool set_limit(__rlimit_resource resource, std::uint64_t value) {
  if (value == 0) return true;
  const rlimit limit{value, value};
  return ::setrlimit(resource, &limit) == 0;
}

bool set_limits(const ProcessLimits& limits) {
  const rlimit no_core{0, 0};
  return ::setrlimit(RLIMIT_CORE, &no_core) == 0 &&
         set_limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.cpu.count())) &&
         set_limit(RLIMIT_NOFILE, limits.open_files) && set_limit(RLIMIT_FSIZE, limits.file_size) &&
         set_limit(RLIMIT_AS, limits.memory);
}

// The descriptors are moved above 3 first, because one of them may already be 0 to 3. All others are closed here and
// not by exec alone: a program whose start hangs must not hold what belongs to others.
bool wire_descriptors(Prepared& with) {
  for (int* fd : {&with.in, &with.out, &with.err, &with.report}) {
    *fd = ::fcntl(*fd, F_DUPFD_CLOEXEC, 4);
    if (*fd < 0) return false;
  }
  const bool wired = ::dup2(with.in, 0) == 0 && ::dup2(with.out, 1) == 1 && ::dup2(with.err, 2) == 2 &&
                     ::dup3(with.report, 3, O_CLOEXEC) == 3;
  if (wired) with.report = 3;
  return wired && ::close_range(4, ~0U, 0) == 0;
}

bool become(const std::optional<Identity>& who) {
  if (!who) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(who->gid, who->gid, who->gid) == 0 &&
         ::setresuid(who->uid, who->uid, who->uid) == 0;
}

void reset_handlers() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
}

void unblock_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_program(Prepared& with, pid_t keeper) {
  if (!wire_descriptors(with)) give_up(with.report, Stage::descriptors);
  if (::setpgid(0, 0) != 0) give_up(with.report, Stage::group);
  unblock_signals();
  if (!become(with.identity)) give_up(with.report, Stage::user);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::_exit(127);
  if (::chdir(with.directory) != 0) give_up(with.report, Stage::directory);
  if (!set_limits(with.limits)) give_up(with.report, Stage::limits);
  ::execve(with.argv.front(), with.argv.data(), with.environment.data());
  give_up(with.report, Stage::program);
}

// Keeps nothing open but where it tells the result: pipes and sockets end with whom they belong to.
bool leave_descriptors(int& result) {
  if (::dup2(result, 0) != 0) return false;
  result = 0;
  return ::close_range(1, ~0U, 0) == 0;
}

// All signals are blocked here and in the agent's thread, so that no handler of the agent runs in a copy of it.
[[noreturn]] void run_keeper(Prepared& with, pid_t agent) {
  reset_handlers();
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != agent) ::_exit(127);
  if (!adopt_descendants()) give_up(with.report, Stage::keeper);
  const pid_t keeper = ::getpid();
  const pid_t program = ::fork();
  if (program < 0) give_up(with.report, Stage::keeper);
  if (program == 0) run_program(with, keeper);
  if (!leave_descriptors(with.result)) ::_exit(127);
  keep(program, with.result);
}

// Forks with all signals blocked; they stay so in the child.
pid_t fork_blocked() {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid != 0) ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pid;
}

std::unexpected<Error> explain(const ProcessSpec& spec, Failure failure) {
  switch (failure.stage) {
    case Stage::user: return os_fail(failure.code, "becoming the user " + spec.user);
    case Stage::directory: return os_fail(failure.code, "entering the directory " + spec.working_directory);
    case Stage::limits: return os_fail(failure.code, "setting the limits of " + spec.argv.front());
    case Stage::program: return os_fail(failure.code, "starting " + spec.argv.front());
    default: return os_fail(failure.code, "preparing " + spec.argv.front());
  }
}

Result<Prepared> prepare(const ProcessSpec& spec) {
  if (spec.argv.empty() || !spec.argv.front().starts_with('/'))
    return fail(Errc::invalid, "a program needs an absolute path");
  Prepared prepared;
  SP_TRY(prepared.identity, find_user(spec.user));
  for (const auto& argument : spec.argv) {
    if (argument.find('\0') != std::string::npos) return fail(Errc::invalid, "an argument holds a NUL character");
    prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  }
  prepared.argv.push_back(nullptr);
  for (const auto& [name, value] : spec.environment)
    prepared.environment_text.push_back(fmt::format("{}={}", name, value));
  for (auto& text : prepared.environment_text) prepared.environment.push_back(text.data());
  prepared.environment.push_back(nullptr);
  prepared.directory = spec.working_directory.c_str();
  prepared.limits = spec.limits;
  return prepared;
}

}  // namespace

Result<Child> start_child(const ProcessSpec& spec) {
  SP_TRY(auto prepared, prepare(spec));
  SP_TRY(auto in, make_pipe());
  SP_TRY(auto out, make_pipe());
  SP_TRY(auto err, make_pipe());
  SP_TRY(auto report, make_pipe());
  SP_TRY(auto result, make_pipe());
  prepared.in = in.reading.get();
  prepared.out = out.writing.get();
  prepared.err = err.writing.get();
  prepared.report = report.writing.get();
  prepared.result = result.writing.get();

  const pid_t agent = ::getpid();
  const pid_t pid = fork_blocked();
  if (pid < 0) return os_fail("starting a process");
  if (pid == 0) run_keeper(prepared, agent);
  Child child{pid,
              Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
              std::move(result.reading),
              std::move(report.reading),
              std::move(in.writing),
              std::move(out.reading),
              std::move(err.reading)};
  for (const auto* end : {&child.result, &child.in, &child.out, &child.err}) ::fcntl(end->get(), F_SETFL, O_NONBLOCK);
  if (!child.pidfd) {
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
    return os_fail("watching a process");
  }
  return child;
}

Result<void> read_report(const Fd& report, const ProcessSpec& spec) {
  Failure failure{};
  ssize_t got = 0;
  do {
    got = ::read(report.get(), &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(failure) ? Result<void>(explain(spec, failure)) : Result<void>();
}

}  // namespace sallyport::platform
