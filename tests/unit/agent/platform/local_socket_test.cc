#include "agent/platform/local_socket.h"

#include "shared/async/task_group.h"
#include "tests/support/async_test.h"
#include "tests/support/temp_dir.h"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <filesystem>

using namespace sallyport;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

SteadyTime soon() { return std::chrono::steady_clock::now() + 10s; }

// Tells a growing number for as long as it lives.
struct Telling {
  Telling(const asio::any_io_executor& loop, const std::string& path, std::chrono::milliseconds patience = 2s)
      : teller(platform::LocalTeller::listen(loop, path).value()), tasks(loop, [](const auto&, const auto&) {}) {
    tasks.spawn("tell", teller.run([this] { return std::string(size, 'x') + std::to_string(++told); }, patience));
  }
  asio::awaitable<void> end() {
    tasks.stop();
    co_await tasks.join();
  }
  platform::LocalTeller teller;
  TaskGroup tasks;
  std::size_t size = 0;
  int told = 0;
};

}  // namespace

ASYNC_TEST_CASE("whoever asks gets what holds at that moment", "[platform]") {
  const test::TempDir dir;
  const auto path = dir.path("agent.sock");
  Telling telling(co_await asio::this_coro::executor, path);
  const auto first = co_await platform::ask_locally(path, 1 << 10, soon());
  const auto second = co_await platform::ask_locally(path, 1 << 10, soon());
  CHECK(first.value() == "1");
  CHECK(second.value() == "2");
  telling.size = 200'000;
  const auto long_one = co_await platform::ask_locally(path, 1 << 20, soon());
  CHECK(long_one.value().size() == 200'001);
  const auto too_long = co_await platform::ask_locally(path, 100'000, soon());
  CHECK(too_long.error().code == Errc::too_large);
  co_await telling.end();
}

ASYNC_TEST_CASE("nobody there is not_found, and a socket left by a process that died is taken over", "[platform]") {
  const test::TempDir dir;
  const auto path = dir.path("agent.sock");
  const auto nothing = co_await platform::ask_locally(path, 1 << 10, soon());
  CHECK(nothing.error().code == Errc::not_found);
  const auto loop = co_await asio::this_coro::executor;
  {
    asio::local::stream_protocol::acceptor dead(loop, path);  // its file stays
  }
  REQUIRE(std::filesystem::exists(path));
  const auto gone = co_await platform::ask_locally(path, 1 << 10, soon());
  CHECK(gone.error().code == Errc::not_found);
  {
    Telling telling(loop, path);
    const auto answer = co_await platform::ask_locally(path, 1 << 10, soon());
    CHECK(answer.value() == "1");
    co_await telling.end();
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

ASYNC_TEST_CASE("who asks and does not read holds the others up for a moment only", "[platform]") {
  const test::TempDir dir;
  const auto path = dir.path("agent.sock");
  const auto loop = co_await asio::this_coro::executor;
  Telling telling(loop, path, 50ms);
  telling.size = 4 << 20;  // more than the socket takes
  asio::local::stream_protocol::socket deaf(loop);
  co_await deaf.async_connect(path, asio::use_awaitable);
  const auto answer = co_await platform::ask_locally(path, 8 << 20, soon());
  CHECK(answer.value().size() > (4 << 20));
  co_await telling.end();
}

ASYNC_TEST_CASE("a path that no socket may have is said, and an answer that never ends has a deadline", "[platform]") {
  const test::TempDir dir;
  const auto loop = co_await asio::this_coro::executor;
  const auto too_long = dir.path(std::string(200, 'x'));
  const auto refused = platform::LocalTeller::listen(loop, too_long);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::invalid);
  const auto path = dir.path("silent.sock");
  const asio::local::stream_protocol::acceptor silent(loop, path);
  const auto answer = co_await platform::ask_locally(path, 1 << 10, std::chrono::steady_clock::now() + 50ms);
  CHECK(answer.error().code == Errc::timed_out);
}
