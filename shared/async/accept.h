#pragma once

#include "shared/base/seldom.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace sallyport {

struct Accepted {
  boost::asio::ip::tcp::socket socket;
  boost::asio::ip::tcp::endpoint peer;  // also when it has gone already
};

// Takes connections from a listening socket. A failure (no file is left, say) is told at most every 10 s, with how
// often it happened, and costs 100 ms, so that the loop around it does not spin. Lives on the socket's executor.
class Acceptance {
 public:
  using Tell = std::function<void(const std::string& why, std::uint64_t times)>;
  explicit Acceptance(Tell tell) : tell_(std::move(tell)) {}

  // Those that wait in the kernel are taken at once, up to a few dozen in a row before other work of the loop gets its
  // turn: otherwise each would wait until all else that is ready has been done. Leaves `from` non-blocking. Nothing: it
  // failed, was cancelled, or `from` was closed; the caller knows whether to go on.
  boost::asio::awaitable<std::optional<Accepted>> next(boost::asio::ip::tcp::acceptor& from);

 private:
  std::optional<Accepted> next_that_waits(boost::asio::ip::tcp::acceptor& from);

  Tell tell_;
  std::size_t in_a_row_ = 0;
  Seldom failures_{std::chrono::seconds(10)};
};

}  // namespace sallyport
