#include "agent/platform/socket_wait.h"

#include "agent/platform/fd.h"
#include "agent/platform/host_name.h"

#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <unistd.h>

using namespace sallyport::platform;
using namespace std::chrono_literals;

TEST_CASE("a socket is waited for until it is ready or the limit is over", "[platform]") {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  const Fd ours(fds[0]);
  Fd theirs(fds[1]);
  CHECK(wait_for_socket(ours.get(), SocketNeed::reading, 1ms) == SocketState::not_yet);
  CHECK(wait_for_socket(ours.get(), SocketNeed::reading, -1s) == SocketState::not_yet);
  CHECK(wait_for_socket(ours.get(), SocketNeed::writing, 10s) == SocketState::ready);
  CHECK(wait_for_socket(ours.get(), SocketNeed::either, 10s) == SocketState::ready);
  REQUIRE(::write(theirs.get(), "x", 1) == 1);
  CHECK(wait_for_socket(ours.get(), SocketNeed::reading, 10s) == SocketState::ready);
}

TEST_CASE("a socket whose other end is gone is ready, so that it can tell so", "[platform]") {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  const Fd ours(fds[0]);
  Fd(fds[1]).reset();
  CHECK(wait_for_socket(ours.get(), SocketNeed::reading, 10s) == SocketState::ready);
}

TEST_CASE("this machine has a name", "[platform]") { CHECK_FALSE(host_name().empty()); }
