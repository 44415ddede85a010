#include "relay/cli/child.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace sallyport::cli {
namespace asio = boost::asio;
namespace {

constexpr int kSignalled = 128;

Result<pid_t> spawn(std::vector<std::string>& words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t usual;
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);  // which this program ignores
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (failed == 0) return pid;
  return fail(failed == ENOENT ? Errc::not_found : Errc::forbidden,
              fmt::format("cannot run {}: {}", words[0], std::strerror(failed)));
}

}  // namespace

asio::awaitable<Result<int>> run_child(std::vector<std::string> words) {
  asio::signal_set ended(co_await asio::this_coro::executor, SIGCHLD);  // before there is one
  SP_CO_TRY(const auto pid, spawn(words));
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    const auto [failed, number] = co_await ended.async_wait(asio::as_tuple(asio::use_awaitable));
    if (!failed) continue;
    ::kill(pid, SIGTERM);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace sallyport::cli
