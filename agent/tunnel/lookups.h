#pragma once

#include "shared/base/clock.h"
#include "shared/base/result.h"
#include "shared/tunnel/purpose.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace sallyport::tunnel {

// Names to addresses by the system's resolver, on two threads of its own that begin with the first name: a resolver
// that hangs holds up neither the loop nor the link's own lookups, and nobody waits for it past a deadline. At most 64
// names at a time. Used on one executor, which outlives it; its end waits until the resolver has given up.
class Lookups {
 public:
  explicit Lookups(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  ~Lookups();
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  // At most 16. A numeric host is not looked up. Errors: unavailable (what the resolver said), timed_out, exhausted,
  // cancelled.
  boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> find(Target target, SteadyTime deadline);

 private:
  boost::asio::any_io_executor executor_;
  std::shared_ptr<std::size_t> running_ = std::make_shared<std::size_t>(0);
  std::optional<boost::asio::thread_pool> threads_;
};

}  // namespace sallyport::tunnel
