#include "agent/app/watchdog.h"

#include "shared/async/task_group.h"
#include "shared/async/timeout.h"
#include "tests/support/async_test.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/this_coro.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

using namespace sallyport;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// The service manager's end of sd_notify(3).
class Manager {
 public:
  Manager() : path_(dir_.path("notify")), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  ~Manager() { ::close(socket_); }
  const std::string& path() const { return path_; }

  // What came since the last call.
  int fed() const {
    int count = 0;
    std::array<char, 256> text{};
    for (;;) {
      const auto size = ::recv(socket_, text.data(), text.size(), 0);
      if (size < 0) return count;
      count +=
          std::string_view(text.data(), static_cast<std::size_t>(size)).find("WATCHDOG=1") != std::string_view::npos;
    }
  }

 private:
  test::TempDir dir_;
  std::string path_;
  int socket_;
};

struct Fed {
  explicit Fed(asio::any_io_executor executor, std::optional<std::chrono::microseconds> time = 20ms)
      : host(manager.path(), time), tasks(executor, [](const auto& task, auto) { FAIL_CHECK("a fault in " << task); }) {
    tasks.spawn("watchdog", app::feed_watchdog([this] { return prove(); }, host));
  }
  asio::awaitable<Result<void>> prove() {
    ++asked;
    if (!alive) co_return fail(Errc::unavailable, "the journal does not answer");
    co_return Result<void>();
  }
  asio::awaitable<bool> until_asked(int more) {
    const int wanted = asked + more;
    for (int i = 0; i < 5'000 && asked < wanted; ++i) co_await sleep_for(1ms);
    co_return asked >= wanted;
  }
  asio::awaitable<void> finish() {
    tasks.stop();
    co_await tasks.join();
  }

  Manager manager;
  platform::ServiceHost host;
  bool alive = true;
  int asked = 0;
  TaskGroup tasks;
};

}  // namespace

ASYNC_TEST_CASE("the watchdog is fed by round trips of the engine alone", "[app][watchdog]") {
  Fed fed(co_await asio::this_coro::executor);
  const bool asked = co_await fed.until_asked(4);
  REQUIRE(asked);
  CHECK(fed.manager.fed() >= 3);
  co_await fed.finish();
}

ASYNC_TEST_CASE("an engine that does not answer starves the watchdog, until it answers again", "[app][watchdog]") {
  Fed fed(co_await asio::this_coro::executor);
  fed.alive = false;
  bool asked = co_await fed.until_asked(1);
  REQUIRE(asked);
  (void)fed.manager.fed();
  asked = co_await fed.until_asked(4);
  REQUIRE(asked);
  CHECK(fed.manager.fed() == 0);
  fed.alive = true;
  asked = co_await fed.until_asked(3);
  REQUIRE(asked);
  CHECK(fed.manager.fed() >= 2);
  co_await fed.finish();
}

ASYNC_TEST_CASE("without a watchdog nobody asks", "[app][watchdog]") {
  Fed fed(co_await asio::this_coro::executor, std::nullopt);
  co_await fed.tasks.join();
  CHECK(fed.asked == 0);
}
