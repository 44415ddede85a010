#pragma once

#include "shared/async/task_group.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>

namespace sallyport::test {

// A TCP line to a local port with the faults of networks. Call finish() before it dies.
class BadLine {
 public:
  struct Faults {
    std::chrono::milliseconds cut_after{0};  // of silence, by a reset; 0: never
    std::size_t swallow_from = 0;            // pieces to the relay of that size and all that follows; 0: none
    bool hang_up = false;                    // when the first bytes have come
  };
  BadLine(const boost::asio::any_io_executor& executor, std::uint16_t to_port, Faults faults);
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  boost::asio::awaitable<void> finish();

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Wire {
    Socket near, far;
    std::chrono::steady_clock::time_point used;
  };
  boost::asio::awaitable<void> accept_loop();
  boost::asio::awaitable<void> serve(Wire& wire);
  boost::asio::awaitable<void> pump(Wire& wire, Socket& from, Socket& to, std::size_t swallow_from);
  boost::asio::awaitable<void> watch(Wire& wire);

  boost::asio::ip::tcp::endpoint to_;
  Faults faults_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::list<Wire> wires_;
  TaskGroup tasks_;
};

}  // namespace sallyport::test
