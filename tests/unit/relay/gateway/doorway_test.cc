#include "relay/gateway/doorway.h"

#include "tests/support/async_test.h"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

using namespace sallyport;
using gateway::Doorway;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// A connection of which the other end has spoken.
struct Line {
  explicit Line(const asio::any_io_executor& loop) : here(loop), there(loop) {
    tcp::acceptor door(loop, {asio::ip::address_v4::loopback(), 0});
    there.connect(door.local_endpoint());
    door.accept(here);
    asio::write(there, asio::buffer("\x16", 1));
  }
  tcp::socket here;
  tcp::socket there;
};

SteadyTime in(std::chrono::milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

}  // namespace

ASYNC_TEST_CASE("who gets no turn to shake hands in time is told so, and who comes when a place is free gets it",
                "[gateway][doorway]") {
  const auto loop = co_await asio::this_coro::executor;
  Doorway door(loop, {.guests = 8, .handshakes = 1});
  Line first(loop), second(loop), third(loop);
  gateway::SocketLine first_line(first.here), second_line(second.here), third_line(third.here);
  Doorway::Guest holder(door, "127.0.0.1"), next(door, "127.0.0.3");
  const auto taken = co_await holder.wait_for_turn(first_line, in(10s));
  REQUIRE(taken);
  {
    Doorway::Guest late(door, "127.0.0.2");
    const auto refused = co_await late.wait_for_turn(second_line, in(20ms));  // the place stays taken
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::timed_out);
    CHECK(refused.error().message == "the connection did not get its turn to shake hands in time");
  }
  holder.handshake_ended();
  const auto called = co_await next.wait_for_turn(third_line, in(10s));
  CHECK(called);
}
