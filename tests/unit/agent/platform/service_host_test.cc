#include "agent/platform/service_host.h"

#include "agent/platform/fd.h"
#include "agent/platform/file_watch.h"
#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/temp_dir.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>

using namespace sallyport;
using namespace sallyport::platform;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// The service manager's end of the notify socket.
class Manager {
 public:
  explicit Manager(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  std::string next() {
    std::string text(4096, '\0');
    const auto got = ::recv(socket_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

 private:
  Fd socket_;
};

asio::awaitable<void> keep_signal(std::string& into) { into = co_await wait_for_stop_signal(); }

asio::awaitable<void> note_wake(FileWatch& watch, bool& woken) {
  co_await watch.wait_until(std::chrono::steady_clock::now() + 20s);
  woken = true;
}

}  // namespace

TEST_CASE("the service manager hears of every state", "[platform][service]") {
  const test::TempDir dir;
  Manager manager(dir.path("notify"));
  const ServiceHost host(dir.path("notify"), 30s);
  host.ready("linked to relay");
  CHECK(manager.next() == "READY=1\nSTATUS=linked to relay");
  host.status("two\nlines");
  CHECK(manager.next() == "STATUS=two lines");
  host.feed_watchdog();
  CHECK(manager.next() == "WATCHDOG=1");
  host.stopping("SIGTERM");
  const auto stopping = manager.next();
  CHECK(stopping.starts_with("STOPPING=1\n"));
  CHECK(stopping.ends_with("STATUS=SIGTERM"));
  CHECK(host.watchdog() == 30s);
}

TEST_CASE("without a service manager nothing happens", "[platform][service]") {
  ServiceHost().ready("by hand");
  ServiceHost("relative", std::nullopt).ready("ignored");
  CHECK_FALSE(ServiceHost().watchdog());
}

TEST_CASE("the environment is read once and removed", "[platform][service]") {
  ::setenv("NOTIFY_SOCKET", "/run/none", 1);
  ::setenv("WATCHDOG_USEC", "15000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(ServiceHost::from_environment().watchdog() == 15s);
  CHECK(::getenv("NOTIFY_SOCKET") == nullptr);
  CHECK(::getenv("WATCHDOG_USEC") == nullptr);

  ::setenv("WATCHDOG_USEC", "15000000", 1);
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(ServiceHost::from_environment().watchdog());
}

ASYNC_TEST_CASE("a stop signal is heard, and a cancelled wait ends", "[platform][service]") {
  std::string heard = "nothing", cancelled = "nothing";
  TaskGroup group(co_await asio::this_coro::executor, [](auto&, auto) { FAIL("no task throws"); });
  group.spawn("signals", keep_signal(heard));
  co_await sleep_for(1ms);
  std::raise(SIGTERM);
  co_await group.join();
  CHECK(heard == "SIGTERM");

  TaskGroup second(co_await asio::this_coro::executor, [](auto&, auto) {});
  second.spawn("signals", keep_signal(cancelled));
  co_await sleep_for(1ms);
  second.stop();
  co_await second.join();
  CHECK(cancelled.empty());
}

ASYNC_TEST_CASE("a watch wakes at a change and at its deadline", "[platform][watch]") {
  const test::TempDir dir;
  const Fd directory(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY));
  auto watch = FileWatch::open(co_await asio::this_coro::executor, directory.get());
  REQUIRE(watch);
  const auto begin = std::chrono::steady_clock::now();
  co_await (*watch)->wait_until(begin + 20ms);
  CHECK(std::chrono::steady_clock::now() - begin >= 20ms);

  bool woken = false;
  TaskGroup group(co_await asio::this_coro::executor, [](auto&, auto) { FAIL("no task throws"); });
  group.spawn("watch", note_wake(**watch, woken));
  co_await sleep_for(1ms);
  dir.write("a.csv", "1");
  co_await group.join();
  CHECK(woken);
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
  CHECK_FALSE(FileWatch::open(co_await asio::this_coro::executor, -1));
}
