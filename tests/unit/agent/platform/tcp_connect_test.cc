#include "agent/platform/tcp_connect.h"

#include "tests/support/async_test.h"
#include "tests/support/no_files.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <optional>

using namespace sallyport;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;
namespace asio = boost::asio;

namespace {

tcp::endpoint at(std::string_view address, std::uint16_t port = 1) { return {asio::ip::make_address(address), port}; }

struct Listener {
  explicit Listener(const asio::any_io_executor& on) : acceptor(on, {asio::ip::address_v4::loopback(), 0}) {}
  tcp::endpoint where() const { return acceptor.local_endpoint(); }
  tcp::acceptor acceptor;
};

// Takes no connection any more: its queue is full.
struct Silent {
  explicit Silent(const asio::any_io_executor& on) : acceptor(on) {
    acceptor.open(tcp::v4());
    acceptor.bind({asio::ip::address_v4::loopback(), 0});
    acceptor.listen(0);
    for (int i = 0; i < 3; ++i) {
      waiting.emplace_back(on).async_connect(acceptor.local_endpoint(), [](auto) {});
    }
  }
  tcp::endpoint where() const { return acceptor.local_endpoint(); }
  tcp::acceptor acceptor;
  std::list<tcp::socket> waiting;
};

asio::awaitable<Result<tcp::socket>> connect(std::vector<tcp::endpoint> addresses, std::chrono::milliseconds apart,
                                             std::chrono::milliseconds limit) {
  return platform::connect_first(std::move(addresses), apart, std::chrono::steady_clock::now() + limit);
}

}  // namespace

TEST_CASE("families alternate, beginning with the first", "[platform]") {
  using List = std::vector<tcp::endpoint>;
  CHECK(platform::alternate_families({}).empty());
  CHECK(platform::alternate_families({at("::1"), at("::2"), at("::3"), at("10.0.0.1"), at("10.0.0.2")}) ==
        List{at("::1"), at("10.0.0.1"), at("::2"), at("10.0.0.2"), at("::3")});
  CHECK(platform::alternate_families({at("10.0.0.1"), at("::1"), at("::2"), at("::3")}) ==
        List{at("10.0.0.1"), at("::1"), at("::2"), at("::3")});
  CHECK(platform::alternate_families({at("10.0.0.2"), at("10.0.0.1")}) == List{at("10.0.0.2"), at("10.0.0.1")});
}

ASYNC_TEST_CASE("an address that refuses gives way at once, and one that hangs after a while", "[platform]") {
  const auto on = co_await asio::this_coro::executor;
  const Listener good(on);
  const Silent silent(on);
  const auto refusing = Listener(on).where();
  auto socket = co_await connect({refusing, good.where()}, 1h, 20s);
  REQUIRE(socket);
  CHECK(socket->remote_endpoint() == good.where());
  socket = co_await connect({silent.where(), good.where()}, 50ms, 20s);
  REQUIRE(socket);
  CHECK(socket->remote_endpoint() == good.where());
  socket = co_await connect({silent.where(), refusing, silent.where(), refusing, good.where()}, 20ms, 20s);
  REQUIRE(socket);
  CHECK(socket->remote_endpoint() == good.where());
}

ASYNC_TEST_CASE("a connection that cannot be made says what became of each address", "[platform]") {
  const auto on = co_await asio::this_coro::executor;
  const Silent silent(on);
  const auto refusing = Listener(on).where();
  auto socket = co_await connect({refusing, refusing}, 1h, 20s);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().code == Errc::unavailable);
  CHECK(socket.error().message == "127.0.0.1: Connection refused; 127.0.0.1: Connection refused");
  socket = co_await connect({refusing, silent.where()}, 10ms, 200ms);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().code == Errc::timed_out);
  CHECK(socket.error().message == "127.0.0.1: Connection refused; no answer in time from 127.0.0.1");
  socket = co_await connect({}, 10ms, 1s);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().code == Errc::unavailable);
}

ASYNC_TEST_CASE("a machine without a file for it does not blame the other end", "[platform]") {
  const Listener good(co_await asio::this_coro::executor);
  std::optional<test::NoFiles> none(std::in_place);
  auto socket = co_await connect({good.where(), good.where()}, 1h, 20s);
  none.reset();
  REQUIRE_FALSE(socket);
  CHECK(socket.error().code == Errc::exhausted);
  CHECK_THAT(socket.error().message, Catch::Contains("Too many open files"));
  socket = co_await connect({good.where()}, 1h, 20s);
  CHECK(socket);
}

ASYNC_TEST_CASE("a connection that met itself was refused, and its port is free for who is to listen there",
                "[platform]") {
  const auto on = co_await asio::this_coro::executor;
  const auto local = at("127.0.0.1", 0);
  tcp::socket socket(on);
  socket.open(local.protocol());
  socket.bind(local);
  const auto itself = socket.local_endpoint();
  co_await socket.async_connect(itself, asio::use_awaitable);
  CHECK(platform::check_peer(socket) == asio::error::connection_refused);
  CHECK_FALSE(socket.is_open());
  const tcp::acceptor service(on, itself);
  tcp::socket other(on);
  co_await other.async_connect(itself, asio::use_awaitable);
  CHECK_FALSE(platform::check_peer(other));
  CHECK(other.is_open());
}
