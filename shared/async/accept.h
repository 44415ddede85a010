#pragma once

#include "shared/base/seldom.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

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

  // Nothing: it failed, was cancelled, or `from` was closed; the caller knows whether to go on.
  boost::asio::awaitable<std::optional<Accepted>> next(boost::asio::ip::tcp::acceptor& from);

 private:
  Tell tell_;
  Seldom failures_{std::chrono::seconds(10)};
};

}  // namespace sallyport
