#include "agent/platform/fd.h"
#include "agent/platform/service_host.h"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <ctime>

namespace sallyport::platform {
namespace asio = boost::asio;
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

std::int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1'000;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

}  // namespace

ServiceHost::ServiceHost(std::string socket, std::optional<std::chrono::microseconds> watchdog)
    : socket_(std::move(socket)), watchdog_(watchdog) {}

ServiceHost ServiceHost::from_environment() {
  auto socket = take_variable("NOTIFY_SOCKET");
  const auto interval = number(take_variable("WATCHDOG_USEC"));
  const auto pid = take_variable("WATCHDOG_PID");
  const bool ours = pid.empty() || number(pid) == static_cast<std::int64_t>(::getpid());
  return ServiceHost(std::move(socket),
                     interval && ours ? std::optional(std::chrono::microseconds(*interval)) : std::nullopt);
}

void ServiceHost::ready(std::string_view status) const { notify(fmt::format("READY=1\nSTATUS={}", one_line(status))); }
void ServiceHost::status(std::string_view status) const { notify(fmt::format("STATUS={}", one_line(status))); }
void ServiceHost::stopping(std::string_view reason) const {
  notify(fmt::format("STOPPING=1\nMONOTONIC_USEC={}\nSTATUS={}", monotonic_us(), one_line(reason)));
}
void ServiceHost::feed_watchdog() const { notify("WATCHDOG=1"); }

// A message that cannot be delivered is lost on purpose: the manager's own time-out is the judge.
void ServiceHost::notify(std::string_view message) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof(address.sun_path) || (socket_[0] != '/' && socket_[0] != '@')) return;
  address.sun_family = AF_UNIX;
  std::ranges::copy(socket_, address.sun_path);
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  (void)::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), length);
}

std::int64_t process_id() { return ::getpid(); }

asio::awaitable<std::string> wait_for_stop_signal() {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM, SIGINT);
  const auto [problem, signal] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
  if (problem) co_return std::string();
  co_return std::string(signal == SIGTERM ? "SIGTERM" : "SIGINT");
}

}  // namespace sallyport::platform
