#include "shared/async/accept.h"

#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <vector>

using namespace sallyport;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

ASYNC_TEST_CASE("a connection is taken with the address it comes from, also when it has gone again", "[async]") {
  const auto on = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(on, {asio::ip::address_v4::loopback(), 0});
  tcp::socket client(on);
  client.open(tcp::v4());
  client.bind({asio::ip::make_address("127.0.0.7"), 0});
  client.connect(acceptor.local_endpoint());
  client.set_option(tcp::socket::linger(true, 0));
  client.close();
  Acceptance acceptance([](const auto& why, auto) { FAIL_CHECK(why); });
  const auto accepted = co_await acceptance.next(acceptor);
  REQUIRE(accepted);
  CHECK(accepted->peer.address().to_string() == "127.0.0.7");
}

ASYNC_TEST_CASE("an accept that fails is waited for instead of spun on, told once, and afterwards it goes on",
                "[async]") {
  const auto on = co_await asio::this_coro::executor;
  tcp::acceptor acceptor(on, {asio::ip::address_v4::loopback(), 0});
  std::vector<std::string> told;
  Acceptance acceptance([&](const std::string& why, std::uint64_t) { told.push_back(why); });
  REQUIRE(::shutdown(acceptor.native_handle(), SHUT_RD) == 0);  // accept gives EINVAL until it listens again
  const auto begun = std::chrono::steady_clock::now();
  for (int n = 0; n < 3; ++n) {
    const auto accepted = co_await acceptance.next(acceptor);
    CHECK_FALSE(accepted);
  }
  CHECK(std::chrono::steady_clock::now() - begun >= 300ms);
  CHECK(told.size() == 1);
  acceptor.listen();
  tcp::socket client(on);
  client.connect(acceptor.local_endpoint());
  const auto accepted = co_await acceptance.next(acceptor);
  CHECK(accepted);
}
