#include "shared/tunnel/splice.h"

#include "tests/unit/shared/tunnel/tunnel_rig.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

// What splice() asks of the system for its socket.
using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

int option(tcp::socket& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(::getsockopt(socket.native_handle(), level, name, &value, &size) == 0);
  return value;
}

// As the end of its process closes a socket: nobody has a say any more.
void close_as_the_kernel_does(tcp::socket& socket) {
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  REQUIRE(nothing >= 0);
  REQUIRE(::dup2(nothing, socket.native_handle()) >= 0);
  ::close(nothing);
}

}  // namespace

ASYNC_TEST_CASE("a machine that vanishes is noticed, and one that reads slowly is waited for", "[tunnel][bounds]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  co_await send(rig.client(), "hello");
  (void)co_await read_until(rig.target(), 5);
  for (auto* side : {&rig.relay, &rig.agent}) {
    auto& socket = *side->near;
    CHECK(option(socket, SOL_SOCKET, SO_KEEPALIVE) != 0);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPINTVL) == 15);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPCNT) == 4);
    CHECK(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0);
    CHECK(option(socket, IPPROTO_TCP, TCP_NODELAY) != 0);
  }
  co_await rig.close();
}

ASYNC_TEST_CASE("a process that dies in the middle resets its connections", "[tunnel]") {
  struct Row {
    std::string what;
    bool of_relay;
    bool one_half_ended;
  };
  for (const auto& row : {Row{"the relay's", true, false}, Row{"the agent's", false, false},
                          Row{"the relay's, half ended", true, true}}) {
    INFO(row.what);
    TunnelRig rig(co_await asio::this_coro::executor);
    co_await rig.start();
    auto& side = row.of_relay ? rig.relay : rig.agent;
    auto& other = row.of_relay ? rig.target() : rig.client();
    co_await send(other, "half of what there is");
    const auto half = co_await read_until(*side.far, 21);
    CHECK(half == "half of what there is");
    if (row.one_half_ended) {
      finish(rig.client());
      const auto end = co_await read_to_end(rig.target());
      CHECK(end.empty());
    }
    close_as_the_kernel_does(*side.near);
    const auto bad = co_await read_error(*side.far);
    CHECK(bad == asio::error::connection_reset);
    co_await rig.close();
  }
}

ASYNC_TEST_CASE("what an orderly end leaves unread arrives, and the end with it", "[tunnel]") {
  TunnelRig rig(co_await asio::this_coro::executor);
  co_await rig.start();
  finish(rig.client());
  const std::string last(100'000, 'x');
  co_await send(rig.target(), last);
  finish(rig.target());
  co_await rig.until_over();
  CHECK(rig.relay.end->end == tunnel::SpliceEnd::finished);
  const auto all = co_await read_to_end(rig.client());
  CHECK(all == last);
  co_await rig.close();
}
