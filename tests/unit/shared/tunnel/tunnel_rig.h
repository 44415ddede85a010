#pragma once

#include "shared/tunnel/splice.h"
#include "tests/unit/shared/link/link_fixture.h"

#include <boost/asio/ip/tcp.hpp>

#include <optional>
#include <string>

namespace sallyport::test {

using boost::asio::ip::tcp;

// Two ends of one connection over loopback, blocking nothing.
struct SocketPair {
  tcp::socket outer, inner;
};
// `kernel_buffers` of 0: as the system has them.
boost::asio::awaitable<SocketPair> connected_pair(int kernel_buffers = 0);

// What a test's client or target does with its socket.
boost::asio::awaitable<std::string> read_to_end(tcp::socket& socket);  // what came, until the other's end
boost::asio::awaitable<std::string> read_until(tcp::socket& socket, std::size_t size);
boost::asio::awaitable<boost::system::error_code> read_error(tcp::socket& socket);  // drops what comes before it
boost::asio::awaitable<void> send(tcp::socket& socket, std::string text);
void finish(tcp::socket& socket);        // FIN
void reset_by_rst(tcp::socket& socket);  // RST

// A whole tunnel on one loop: client - socket - splice - channel - splice - socket - target, over a real pair of
// sessions on a line in memory. start() before anything else, close() before it dies.
struct TunnelRig {
  explicit TunnelRig(boost::asio::any_io_executor executor);
  boost::asio::awaitable<void> start(tunnel::SpliceLimits relay_limits = {}, int kernel_buffers = 0);
  boost::asio::awaitable<void> until_over();  // both splices have ended
  boost::asio::awaitable<void> close();

  struct Side {
    explicit Side(const boost::asio::any_io_executor& executor);
    std::optional<tcp::socket> far;   // the client, or the target
    std::optional<tcp::socket> near;  // of the splice
    std::optional<link::Channel> channel;
    tunnel::Flow flow;
    tunnel::SpliceLimits limits;
    std::optional<tunnel::SpliceOutcome> end;
    TaskGroup task;
  };
  tcp::socket& client() { return relay.far.value(); }
  tcp::socket& target() { return agent.far.value(); }

  boost::asio::any_io_executor on;
  LinkPair link;
  Side relay, agent;
};

}  // namespace sallyport::test
