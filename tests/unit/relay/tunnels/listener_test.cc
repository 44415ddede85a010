#include "relay/tunnels/listener.h"

#include <catch2/catch.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <fstream>
#include <vector>

using namespace sallyport;
using namespace sallyport::tunnels;
using boost::asio::ip::tcp;

TEST_CASE("why a port cannot be opened is said with what to do", "[tunnels]") {
  boost::asio::io_context loop;
  tcp::acceptor other(loop, {boost::asio::ip::address_v4::loopback(), 0});
  const auto taken = other.local_endpoint().port();
  struct Case {
    domain::TunnelListener where;
    Errc code;
    std::string_view says;
  };
  for (const auto& one : {Case{{"127.0.0.1", taken}, Errc::conflict, "another program has this port"},
                          Case{{"192.0.2.77", 5'432}, Errc::invalid, "this machine does not have that address"},
                          Case{{"localhost", 5'432}, Errc::invalid, "is no IP address"}}) {
    INFO(one.where.address);
    const auto listener = listen_on(loop.get_executor(), one.where);
    REQUIRE_FALSE(listener);
    CHECK(listener.error().code == one.code);
    CHECK(listener.error().message.find(one.says) != std::string::npos);
  }
}

// Another program may have the IPv4 port already: then another port is tried.
TEST_CASE("an IPv6 listener leaves the IPv4 port to others", "[tunnels]") {
  boost::asio::io_context loop;
  bool both = false;
  for (int i = 0; i < 10 && !both; ++i) {
    const auto v6 = listen_on(loop.get_executor(), {"::", 0});
    if (!v6) {
      WARN("this machine has no IPv6: " << v6.error().message);
      return;
    }
    both = listen_on(loop.get_executor(), {"0.0.0.0", v6->local_endpoint().port()}).has_value();
  }
  CHECK(both);
}

// Beyond the kernel's queue a client would have to knock again a second later.
TEST_CASE("a burst of connections finds room while none has been taken yet", "[tunnels]") {
  constexpr std::size_t kBurst = 400;
  std::size_t most = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> most;
  if (most < kBurst) {
    WARN("not tested: the kernel lets nobody queue more than " << most);
    return;
  }
  boost::asio::io_context loop;
  const auto listener = listen_on(loop.get_executor(), {"127.0.0.1", 0});
  REQUIRE(listener);
  std::vector<tcp::socket> clients;
  clients.reserve(kBurst);
  std::size_t connected = 0;
  for (std::size_t i = 0; i < kBurst; ++i) {
    clients.emplace_back(loop).async_connect(listener->local_endpoint(), [&](const auto& failed) {
      if (!failed && ++connected == kBurst) loop.stop();
    });
  }
  loop.run_for(std::chrono::seconds(10));
  CHECK(connected == kBurst);
}

TEST_CASE("addresses as people write them", "[tunnels]") {
  CHECK(to_string(domain::TunnelListener{"127.0.0.1", 5'432}) == "127.0.0.1:5432");
  CHECK(to_string(domain::TunnelListener{"::1", 5'432}) == "[::1]:5432");
}
